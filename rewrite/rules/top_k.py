"""TopK, the order of equals settled."""

from __future__ import annotations

from onnx import helper

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._shapes import integers

#: ONNX's number for float64.
_DOUBLE = 11


@rule("TopK", cases=[
    case("(float[3,5] x) => (float[3,2] y, int64[3,2] i) <int64[1] k = {2}> { y, i = TopK(x, k) }"),
    case("(float[3,5] x) => (float[3,5] y, int64[3,5] i) <int64[1] k = {5}> { y, i = TopK<largest=0>(x, k) }"),
    case("(float[5,3] x) => (float[1,3] y, int64[1,3] i) <int64[1] k = {1}> { y, i = TopK<axis=0, sorted=0>(x, k) }"),
    case("(float[2,5,3] x) => (int64[2,4,3] i) <int64[1] k = {4}> { y, i = TopK<axis=-2>(x, k) }"),
    case("(float[2,5] x) => (float[2,3] y) <int64[1] k = {3}, float o = {0}> { z = Mul(x, o) y, i = TopK(z, k) }"),
    case("(float[N,5] x) => (float[N,2] y, int64[N,2] i) <int64[1] k = {2}> { y, i = TopK(x, k) }"),
    case("(float[N,P] x) => (float[N,3] y, int64[N,3] i) <int64[1] k = {3}> { y, i = TopK(x, k) }"),
    case("(float[P,2] x) => (int64[3,2] i) <int64[1] k = {3}> { y, i = TopK<axis=0, largest=0>(x, k) }"),
    case("(int64[3,5] x) => (int64[3,1] y, int64[3,1] i) <int64[1] k = {1}> { y, i = TopK<sorted=0>(x, k) }"),
    case("(int64[3,5] x, int64[1] n) => (int64[3,2] y, int64[3,2] i) <int64[1] o = {0}, int64[1] t = {2}> "
         "{ m = Mul(n, o) k = Add(m, t) y, i = TopK(x, k) }"),
    case("(int64[3,5] x) => (int64[3,2] y, int64[3,2] i) <int64[1] k = {2}> { y, i = TopK(x, k) }", refuses="as plain"),
    case("(float[3,5] x) => (float[3,2] y, int64[3,2] i) <int64[1] k = {2}> { y, i = TopK<sorted=0>(x, k) }",
         refuses="order"),
    case("(float[3,5] x, int64[1] k) => (float[3,K] y, int64[3,K] i) { y, i = TopK(x, k) }", refuses="not constant"),
])  # fmt: skip
def top_k_to_double(op: Op, node: NodeView) -> Result:
    """TopK(x; k) = TopK(Cast(x); k), floats as float64, whose order knows no sign of zero; k as the shapes tell it"""
    dtype = op.dtype(node.x)
    given = integers(op, node.input(1))
    count = given or _of_shapes(op, node)
    if not count:
        return refuse("k is not constant")
    if not node.attr("sorted") and count[0] != 1:
        return refuse("the order of unsorted results is not defined")
    narrow = dtype.kind == "f" and dtype.itemsize < 8
    if not narrow and given and node.attr("sorted"):
        return refuse("it is as plain as it gets")
    x = op.Cast(node.x, to=_DOUBLE) if narrow else node.x
    attrs = {"axis": node.attr("axis"), "largest": node.attr("largest"), "sorted": 1}
    values, indices = op.build("TopK", [x, op.ints(*count)], attrs, outputs=2)
    if narrow and node.wants(0):
        values = op.Cast(values, to=helper.np_dtype_to_tensor_dtype(dtype))
    if _is_open(op, node):
        values, indices = (_counted(op, t, node.attr("axis"), count[0]) for t in (values, indices))
    return [t if node.wants(i) else None for i, t in enumerate((values, indices))]


def _is_open(op: Op, node: NodeView) -> bool:
    """Has the axis no fixed size?"""
    shape = op.shape(node.x)
    return shape is None or isinstance(shape[node.attr("axis")], str)


def _counted(op: Op, result: Tensor, axis: int, count: int) -> Tensor:
    """All k entries: of an axis of unknown size, so many are found only by whoever knows that it has as many."""
    return op.Gather(result, op.ints(*range(count)), axis=axis % (op.rank(result) or 1))


def _of_shapes(op: Op, node: NodeView) -> list[int]:
    """k as the shapes of the results tell it; empty where they do not."""
    shapes = [op.shape(t) for i, t in enumerate(node.outputs) if node.wants(i)]
    sizes = [s[node.attr("axis")] for s in shapes if s is not None]
    return [k for k in sizes if isinstance(k, int)][:1]
