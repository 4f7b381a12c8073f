"""Functors of models with all kinds of inputs and outputs, compiled, run through RDataFrame and held against headers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from in_root import needs_root

from sofie_bridge import toolchain
from sofie_bridge.header import build
from sofie_bridge.interface import Interface
from sofie_bridge.layout import default
from sofie_bridge.rdf.check import check
from sofie_bridge.rdf.functor import functor_text

Emit = Callable[..., tuple[Path, Path]]

pytestmark = [needs_root, pytest.mark.sweep]

AXES = "axes = Constant<value_ints = [2]>()"
MODELS = {
    "numbers beside lists": f"""(float[N,3] jet, float[N,3,P] track, float[N,1,P] track_mask) => (float[N,3] y)
        {{ {AXES}  m = Mul(track, track_mask)  s = ReduceSum<keepdims = 0>(m, axes)  y = Add(s, jet) }}""",
    "two lists, two masks, one size": f"""
        (float[1,2,6] track, float[1,2,6] tower, float[1,1,6] track_mask, float[1,1,6] tower_mask) => (float[1,2] y)
        {{ {AXES}  a = Mul(track, track_mask)  b = Mul(tower, tower_mask)
           s = ReduceSum<keepdims = 0>(a, axes)  t = ReduceSum<keepdims = 0>(b, axes)  y = Sub(s, t) }}""",
    "features last": """(float[N,P,3] x) => (float[N,P,3] y, float[N,3] s)
        { axes = Constant<value_ints = [1]>()  y = Tanh(x)  s = ReduceSum<keepdims = 0>(y, axes) }""",
    "two types of outputs": """(float[1,4] x) => (float[1,2] y, int64[1,2] k)
        { n = Constant<value_ints = [2]>()  y, k = TopK<axis = 1>(x, n) }""",
    "an image": "(float[1,1,5,5] image) => (float[1,1,5,5] y) { y = Relu(image) }",
    "whole numbers": """(int64[N,2] k) => (float[N,2,3] y) <float[2,3] t = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}>
        { y = Gather<axis = 0>(t, k) }""",
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_functor(name: str, emit: Emit, tmp_path: Path) -> None:
    compiler = toolchain.find()
    if compiler.family == "zig":
        pytest.skip("ROOT's libraries want g++ or clang++")
    _, header = emit(f"net {MODELS[name]}", name="net")
    layout = default(Interface.of(build(header), header))
    file = tmp_path / "net_rdf.hxx"
    file.write_text(functor_text(layout, header.name))
    assert check(layout, file, header, None, compiler) > 0
