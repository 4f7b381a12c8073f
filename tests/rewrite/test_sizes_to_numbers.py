"""Sizes that are read as numbers."""

from __future__ import annotations

import onnx
import pytest
from small_models import assert_same_numbers, operators, parse

from rewrite.api import rewrite_model
from rewrite.target import Verdict

_SIZES = "<int64[1] z={0}, int64[1] one={1}> { s = Shape(x) n = Gather(s, z) b = Sub(n, one)"


class Texts:
    """Takes what is made of sizes for text, of which it computes nothing."""

    name = "the fake"
    merges: frozenset[tuple[str, str]] = frozenset()

    def judge(self, probe: onnx.ModelProto) -> Verdict:
        kinds = {o: node.op_type for node in probe.graph.node for o in node.output}
        read = {kinds.get(name, "") for name in probe.graph.node[-1].input}
        return Verdict(probe.graph.node[-1].op_type == "Reshape" or "Sub" not in read, "it is text")


class Kernels:
    """Has a kernel for every Slice."""

    def refuses(self, probe: onnx.ModelProto) -> str:
        return "" if probe.graph.node[-1].op_type == "Slice" else "no kernel"


@pytest.mark.parametrize("read", ["y = Mul(b, k)", "y = Add(k, b)", "y = Gather(k, b)"])
def test_what_reads_numbers_gets_numbers(read: str) -> None:
    model = parse(f"(float[N,3] x, int64[N] k) => (int64[M] y) {_SIZES} {read} }}")
    after = rewrite_model(model, Texts()).model
    assert operators(after)[:4] == ["Shape", "Cast", "Cast", "Gather"]
    assert_same_numbers(model, after)


def test_a_kernel_gets_numbers() -> None:
    model = parse(f"(float[N,3] x) => (float[M,3] y) {_SIZES} y = Slice(x, b, n, z, one) }}")
    rewritten = rewrite_model(model, _NoSlice(), library=Kernels())
    assert operators(rewritten.model).count("Cast") == 2
    assert rewritten.kept == {"y"}
    assert_same_numbers(model, rewritten.model)


def test_what_reads_a_shape_gets_sizes() -> None:
    model = parse(f"(float[N,3] x, float v) => (float[M] y) {_SIZES} y = Expand(v, b) }}")
    rewritten = rewrite_model(model, Texts(), analysis=True)
    assert [s.operator for s in rewritten.stuck] == ["Expand"]
    assert "Cast" not in operators(rewritten.model)


class _NoSlice:
    name = "the fake"
    merges: frozenset[tuple[str, str]] = frozenset()

    def judge(self, probe: onnx.ModelProto) -> Verdict:
        return Verdict(probe.graph.node[-1].op_type != "Slice", "no Slice here")
