"""Shape arithmetic over open sizes: numbers fall out, shapes settle, numbers stay right."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from rewrite.graph import OPSET, Graph
from rewrite.passes.fold_constants import fold_constants
from rewrite.passes.infer_shapes import infer_shapes
from rewrite.passes.resolve_sizes import resolve_sizes
from sofie_bridge.reference import OnnxReference


def parse(text: str) -> onnx.ModelProto:
    return infer_shapes(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": {OPSET}]> sizes {text}'))


def resolved(text: str) -> Graph:
    graph = Graph.read(parse(text))
    fold_constants(graph)
    resolve_sizes(graph)
    graph.drop_dead()
    return graph


SHAPES = [
    ("(float[N,4,P] x) => (float[A,B] y) <int64[2] s = {0, -1}> { y = Reshape(x, s) }", ("N", "size.1")),
    ("(float[1,P,7] x) => (float[A] y) <int64[1] s = {-1}> { y = Reshape(x, s) }", ("size.1",)),
    ("(float[P] x) => (float[A,B] y) { s = Shape(x) o = Concat<axis=0>(s, s) y = Expand(x, o) }", ("P", "P")),
    ("(float[N,P] x) => (float[A,B] y) <int64[1] k = {3}> { y, i = TopK(x, k) }", ("N", 3)),
    ("(float[1,2,P] x, float[5,2,3] w) => (float[A,B,C] y) "
     "{ y = Conv<kernel_shape=[3], pads=[1,1], strides=[1], dilations=[1], group=1>(x, w) }", (1, 5, "P")),
    ("(float[1,2,P] x, float[5,2,1] w) => (float[A,B,C] y) "
     "{ y = Conv<kernel_shape=[1], pads=[0,0], strides=[2], dilations=[1], group=1>(x, w) }", (1, 5, "C")),
    ("(float[P,3] x) => (float[A,B] y) <int64[2] r = {2, 1}> { y = Tile(x, r) }", ("size.1", 3)),
    ("(float[P,3] x) => (float[A,B] y) { z = Concat<axis=0>(x, x) p = Shape<end=1>(x) q = Add(p, p) "
     "three = Constant<value_ints=[3]>() s = Concat<axis=0>(q, three) y = Expand(z, s) }", ("size.2", 3)),
    ("(float[P,3] x) => (float[A,B] y) <int64[1] s = {1}, int64[1] e = {100000}, int64[1] a = {1}, int64[1] t = {1}> "
     "{ y = Slice(x, s, e, a, t) }", ("P", 2)),
    ("(float[P,3] x) => (float[A,B] y) <int64[1] s = {1}, int64[1] e = {9223372036854775807}, int64[1] a = {0}, "
     "int64[1] t = {1}> { y = Slice(x, s, e, a, t) }", ("size.1", 3)),
    ("(float[P,3] x) => (float[A,B] y) <int64[2] s = {0, 1}, int64[2] e = {2147483647, 2}, int64[2] a = {0, 1}, "
     "int64[2] t = {1, 1}> { y = Slice(x, s, e, a, t) }", ("P", 1)),
    ("(float[P,6] x) => (float[A,B,C] y) { p = Shape<start=0, end=1>(x) two = Constant<value_ints=[2]>() "
     "six = Shape<start=1>(x) three = Div(six, two) s = Concat<axis=0>(p, two, three) y = Reshape(x, s) }", ("P", 2, 3)),
    ("(float[P,3] x, float[1,2] z) => (float[A,B] y) { p = Shape<end=1>(x) n = ReduceSum<keepdims=1>(p) "
     "two = Shape<start=1>(z) s = Concat<axis=0>(n, two) y = Expand(z, s) }", ("P", 2)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "shape"), SHAPES)
def test_shapes(text: str, shape: tuple[int | str, ...]) -> None:
    assert resolved(text).outputs[0].shape == shape


@pytest.mark.parametrize("text", [text for text, _ in SHAPES])
@pytest.mark.parametrize("size", [4, 5])
def test_numbers_stay(text: str, size: int) -> None:
    model = parse(text)
    written = resolved(text).write()
    generator = np.random.default_rng(1)
    arrays = {}
    for info in model.graph.input:
        shape = [d.dim_value if d.HasField("dim_value") else size for d in info.type.tensor_type.shape.dim]
        arrays[info.name] = generator.standard_normal(shape).astype(np.float32)
    for name, array in OnnxReference(model)(arrays).items():
        np.testing.assert_array_equal(OnnxReference(written)(arrays)[name], array)


def test_what_is_a_number_after_all_becomes_one() -> None:
    """A size is never -1, and the size of a fixed axis is known: what exporters write for Expand folds away."""
    text = (
        "(float[P,1] x) => (float[A,B] y) { s = Shape(x) one = Gather<axis=0>(s, i) i = Constant<value_ints=[1]>() "
        "no = Constant<value_ints=[-1]>() is = Equal(one, no) four = Constant<value_ints=[4]>() "
        "w = Where(is, one, four) p = Gather<axis=0>(s, z) z = Constant<value_ints=[0]>() "
        "o = Concat<axis=0>(p, w) y = Expand(x, o) }"
    )
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": {OPSET}]> sizes {text}')
    graph = Graph.read(model)
    fold_constants(graph)
    resolve_sizes(graph)
    graph.drop_dead()
    assert graph.outputs[0].shape == ("P", 4)
    assert "Where" not in [n.op for n in graph.nodes]


def test_equal_expressions_are_one_symbol() -> None:
    text = (
        "(float[P,4] x, float[P,4] z) => (float[A] y) <int64[1] s = {-1}> "
        "{ a = Reshape(x, s) b = Reshape(z, s) y = Add(a, b) }"
    )
    graph = resolved(text)
    first, second, both = (n.outputs[0].shape for n in graph.nodes)
    assert first == second == both


def test_a_model_without_open_sizes_is_left_alone() -> None:
    graph = Graph.read(parse("(float[2,3] x) => (float[6] y) <int64[1] s = {-1}> { y = Reshape(x, s) }"))
    before = list(graph.nodes)
    resolve_sizes(graph)
    assert graph.nodes == before


def test_sequences_are_left_as_they_are() -> None:
    """Inference of one node wants to know that its input is a sequence, which a graph does not keep."""
    text = "(float[N,2] x, float[M,2] z) => (float[A,2] y) { s = SequenceConstruct(x, z) y = ConcatFromSequence<axis=0>(s) }"
    assert [n.op for n in resolved(text).nodes] == ["SequenceConstruct", "ConcatFromSequence"]
