"""Slices name the axes that they cut, and no others; the numbers stay."""

from __future__ import annotations

import onnx
import pytest
from onnx import numpy_helper
from small_models import assert_same_numbers, operators, parse

from rewrite.graph import Graph
from rewrite.passes.infer_shapes import infer_shapes
from rewrite.passes.plain_slices import plain_slices

SLICE = "({i}) => ({o}) <{c}> {{ y = Slice({n}) }}"


@pytest.mark.parametrize(
    ("i", "o", "c", "n", "left"),
    [
        ("float[N,5] x", "float[N,2] y", "int64[2] a={0, 1}, int64[2] b={2147483647, 3}", "x, a, b", ([1], [3], [1], [1])),
        ("float[N,5] x", "float[N,2] y", "int32[2] a={0, 1}, int32[2] b={2147483647, 3}, int32[2] c={-2, -1}",
         "x, a, b, c", ([1], [3], [1], [1])),
        ("float[4,5] x", "float[4,2] y", "int64[2] a={0, 1}, int64[2] b={4, 5}, int64[2] c={0, 1}, int64[2] d={1, 2}",
         "x, a, b, c, d", ([1], [5], [1], [2])),
        ("float[4,5] x", "float[2,5] y", "int64[2] a={0, 0}, int64[2] b={4, 9}, int64[2] c={0, 1}, int64[2] d={2, 1}",
         "x, a, b, c, d", ([0], [4], [0], [2])),
    ],
)  # fmt: skip
def test_slices_name_what_they_cut(i: str, o: str, c: str, n: str, left: tuple[list[int], ...]) -> None:
    written = after(SLICE.format(i=i, o=o, c=c, n=n))
    (node,) = written.graph.node
    held = {t.name: numpy_helper.to_array(t).tolist() for t in written.graph.initializer}
    assert tuple(held[name] for name in node.input[1:]) == left


def test_a_slice_of_everything_goes() -> None:
    text = SLICE.format(
        i="float[N,5] x", o="float[N,5] y", c="int64[2] a={0, 0}, int64[2] b={2147483647, 5}", n="x, a, b"
    )
    assert operators(after(text)) == ["Identity"]


def test_a_slice_that_cuts_stays() -> None:
    text = SLICE.format(i="float[N,5] x", o="float[M,5] y", c="int64[1] a={0}, int64[1] b={7}", n="x, a, b")
    (node,) = after(text).graph.node
    assert len(node.input) == 3


def after(text: str) -> onnx.ModelProto:
    """The model behind the pass; of the same numbers as before."""
    graph = Graph.read(infer_shapes(parse(text)))
    plain_slices(graph)
    graph.drop_dead()
    written = graph.write()
    assert_same_numbers(parse(text), written)
    return written
