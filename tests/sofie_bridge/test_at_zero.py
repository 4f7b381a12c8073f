"""Open dimensions of the size zero."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from onnx.parser import parse_model
from onnx.shape_inference import infer_shapes

from sofie_bridge.at_zero import at_zero, symbols
from sofie_bridge.emit import emit
from sofie_bridge.sofie import Sofie
from sofie_bridge.toolchain import find


@pytest.fixture(scope="module")
def sofie() -> Iterator[Sofie]:
    with Sofie() as running:
        yield running


def parse(text: str) -> onnx.ModelProto:
    return infer_shapes(parse_model(f'<ir_version: 8, opset_import: ["": 17]> m {text}'))


def test_an_event_without_particles(sofie: Sofie, tmp_path: Path) -> None:
    """The sum over none is zero, for the model as for the header."""
    model = parse("(float[N,3] x) => (float[3] y) <int64[1] axes={0}> { y = ReduceSum<keepdims=0>(x, axes) }")
    assert symbols(model) == ["N"]
    assert list(at_zero(model, model, emit(model, "pool", tmp_path, sofie), find())) == [("N", "")]


def test_code_that_divides_by_the_size(sofie: Sofie, tmp_path: Path) -> None:
    """SOFIE's Softmax along N counts its rows by a division: no other size suffers by the crash."""
    model = parse("(float[B,N] x) => (float[B,N] y) { y = Softmax<axis=-1>(x) }")
    found = dict(at_zero(model, model, emit(model, "none", tmp_path, sofie), find()))
    assert found["B"] == ""
    assert "SIGFPE" in found["N"]


def test_a_header_that_is_wrong_there(sofie: Sofie, tmp_path: Path) -> None:
    """Held against another model's: one that adds 1."""
    model = parse("(float[N,3] x) => (float[3] y) <int64[1] axes={0}> { y = ReduceSum<keepdims=0>(x, axes) }")
    other = parse("(float[N,3] x) => (float[3] y) <int64[1] axes={0}, float one={1}>"
                  " { h = ReduceSum<keepdims=0>(x, axes) y = Add(h, one) }")  # fmt: skip
    ((symbol, why),) = at_zero(other, other, emit(model, "pool", tmp_path, sofie), find())
    assert symbol == "N"
    assert why == "3 elements of y differ"


def test_what_ends_onnxruntimes_process(sofie: Sofie, tmp_path: Path) -> None:
    """Its Einsum divides by a batch of zero: that size is not judged, the others are, and nobody dies."""
    model = parse("(float[B,2,N,4] q, float[B,2,M,4] k) => (float[B,2,N,M] y)"
                  ' { y = Einsum<equation="bhid,bhjd->bhij">(q, k) }')  # fmt: skip
    plain = parse("(float[B,2,N,4] q, float[B,2,M,4] k) => (float[B,2,N,M] y)"
                  " { t = Transpose<perm=[0,1,3,2]>(k) y = MatMul(q, t) }")  # fmt: skip
    found = dict(at_zero(model, plain, emit(plain, "heads", tmp_path, sofie), find()))
    assert list(found) == ["N", "M"]
    assert found["N"] == ""
