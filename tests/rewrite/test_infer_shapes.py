"""Inference: what is known of every tensor, and what contradicts itself."""

from __future__ import annotations

import pytest
from onnx import helper
from small_models import parse

from convert.errors import BadModel
from rewrite.api import prepare
from rewrite.graph import value
from rewrite.passes.infer_shapes import infer_shapes


def test_stale_shapes_are_dropped() -> None:
    model = parse("(float[2,3] x) => (float[2,3] y) { h = Neg(x) y = Exp(h) }")
    model.graph.value_info.append(helper.make_tensor_value_info("h", 1, [7, 7]))
    assert [d.dim_value for d in infer_shapes(model).graph.value_info[0].type.tensor_type.shape.dim] == [2, 3]


def test_a_model_that_contradicts_itself() -> None:
    with pytest.raises(BadModel, match="contradict"):
        infer_shapes(parse("(float[2,3] x, float[4,5] z) => (float[2,5] y) { y = MatMul(x, z) }"))


def test_columns_of_vectors_are_no_contradiction() -> None:
    """What ONNX follows of values it follows of vectors that are no shapes too; the rest of it stays."""
    text = """(float[4] u, float[3] w, float[N,3] x) => (float[4,3] y, float[A,B] r)
        <int64[1] a={1}, int64[1] b={0}, int64[1] rest={-1}> { p = Unsqueeze(u, a) q = Unsqueeze(w, b) y = Mul(p, q)
          n = Shape<start=0, end=1>(x) s = Concat<axis=0>(n, rest) h = Reshape(x, s) r = Neg(h) }"""
    inferred = {v.name: v.type.tensor_type.shape.dim for v in infer_shapes(parse(text)).graph.value_info}
    assert [d.dim_param or d.dim_value for d in inferred["p"]] == [4, 1]
    assert inferred["h"][0].dim_param == "N"


def test_values_of_shape_arithmetic_are_followed() -> None:
    text = """(float[N,4] x) => (float[A,B] y) <int64[1] two={2}, int64[1] rest={-1}>
        { n = Shape<start=0, end=1>(x) s = Concat<axis=0>(n, two, rest) r = Reshape(x, s) t = Transpose<perm=[0,2,1]>(r)
          y = Flatten(t) }"""
    graph = prepare(parse(text))
    shapes = {n.op: n.outputs[0].shape for n in graph.nodes}
    assert shapes["Reshape"][:2] == ("N", 2)
    assert value(graph.nodes[0].inputs[0]) is None
