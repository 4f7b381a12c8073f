"""Open sizes keep their names through Reshape, where no other can be meant."""

from __future__ import annotations

import onnx
import pytest
from small_models import parse

from rewrite.passes.infer_shapes import infer_shapes


def dims(text: str, name: str) -> list[int | str]:
    model: onnx.ModelProto = infer_shapes(parse(text))
    info = next(i for i in model.graph.value_info if i.name == name)
    return [d.dim_value if d.HasField("dim_value") else d.dim_param for d in info.type.tensor_type.shape.dim]


@pytest.mark.parametrize(
    ("given", "target", "found"),
    [("N", "-1,1", ["N", 1]), ("3,N,2", "-1,6", ["N", 6]), ("N,4", "2,-1,2", [2, "N", 2])],
)
def test_the_one_open_size(given: str, target: str, found: list[int | str]) -> None:
    rank = target.count(",") + 1
    text = f"""(float[{given}] x) => (float[{"M," * (rank - 1)}M] y) <int64[{rank}] s = {{{target}}}> {{
        a = Reshape(x, s) b = Neg(a) y = Abs(b) }}"""
    assert dims(text, "a") == found
    assert dims(text, "b") == found  # and what comes of it


@pytest.mark.parametrize(("given", "target"), [("N,4", "-1,2"), ("N,K", "-1,1"), ("N,4", "-1,0")])
def test_sizes_that_are_another(given: str, target: str) -> None:
    text = f"(float[{given}] x) => (float[M,L] y) <int64[2] s = {{{target}}}> {{ a = Reshape(x, s) y = Neg(a) }}"
    assert dims(text, "a")[0] not in ("N", "K")


def test_a_multiple_of_it_on_the_way() -> None:
    text = """(float[N,3] x) => (float[M,3] y) <int64[1] s = {-1}, int64[2] t = {-1,3}> {
        a = Reshape(x, s) b = Neg(a) c = Reshape(b, t) d = Neg(c) y = Abs(d) }"""
    assert dims(text, "b")[0] != "N"
    assert dims(text, "d") == ["N", 3]
