"""And, Or and Xor, of bools and of bits, over shapes that broadcast."""

from __future__ import annotations

import numpy as np

from rewrite.graph import Shape, Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule

#: ONNX's numbers of the types.
_BOOL, _FLOAT = 9, 1


@rule("And", "Or", "Xor", cases=[
    case("(bool[2,1] x, bool[3] z) => (bool[2,3] y) { y = And(x, z) }"),
    case("(bool[3] x, bool[2,3] z) => (bool[2,3] y) { y = Or(x, z) }"),
    case("(bool[2,3,1] x, bool[3,4] z) => (bool[2,3,4] y) { y = Xor(x, z) }"),
    case("(bool[2,3] x) => (bool[2,3] y) <bool z = {1}> { y = Xor(x, z) }"),
    case("(bool[N,3] x, bool[3] z) => (bool[N,3] y) { y = And(x, z) }"),
    case("(bool[N,1] x, bool[3] z) => (bool[N,3] y) { y = Or(x, z) }"),
    case("(bool[N,3] x, bool[1,3] z) => (bool[N,3] y) { y = Xor(x, z) }"),
    case("(bool[N,1,1] x, bool[N,1,1] z) => (bool[N,1,1] y) { y = Or(x, z) }"),
    case("(bool[2,3] x, bool[2,3] z) => (bool[2,3] y) { y = And(x, z) }", refuses="equal already"),
])  # fmt: skip
def logic_to_equal_shapes(op: Op, node: NodeView) -> Result:
    """f(x, z) = f(Expand(x), Expand(z)); where sizes are not numbers And = x z, Or = max(x, z), Xor = |x - z| > 0"""
    x, z = node.inputs
    shape = broadcast(op.static_shape(x), op.static_shape(z))
    if shape is not None and op.shape(x) == op.shape(z):
        return refuse("the shapes are equal already")
    if shape is not None:
        return op.build(node.op, [_expanded(op, x, shape), _expanded(op, z, shape)], {})[0]
    a, b = op.Cast(x, to=_FLOAT), op.Cast(z, to=_FLOAT)
    join = {"And": op.Mul, "Or": op.Max, "Xor": op.Sub}[node.op]
    return op.Cast(join(a, b), to=_BOOL)


@rule("BitwiseAnd", "BitwiseOr", "BitwiseXor", cases=[
    case("(int64[2,3] x, int64[3] z) => (int64[2,3] y) { y = BitwiseAnd(x, z) }"),
    case("(int32[2,1] x, int32[3] z) => (int32[2,3] y) { y = BitwiseOr(x, z) }"),
    case("(int64[N,3] x, int64[3] z) => (int64[N,3] y) { y = BitwiseXor(x, z) }"),
    case("(int64[N,1] x) => (int64[N,3] y) <int64[3] z = {1, 2, 7}> { y = BitwiseAnd(x, z) }"),
    case("(int64[N,3] x, int64 z) => (int64[N,3] y) { y = BitwiseOr(z, x) }"),
    case("(int64[2,3] x, int64[2,3] z) => (int64[2,3] y) { y = BitwiseAnd(x, z) }", refuses="equal already"),
])  # fmt: skip
def bitwise_to_equal_shapes(op: Op, node: NodeView) -> Result:
    """f(x, z) = f(Expand(x), Expand(z)); where sizes are not numbers f(x + 0 z, z + 0 x)"""
    x, z = node.inputs
    if op.shape(x) == op.shape(z):
        return refuse("the shapes are equal already")
    shape = broadcast(op.static_shape(x), op.static_shape(z))
    if shape is not None:
        return op.build(node.op, [_expanded(op, x, shape), _expanded(op, z, shape)], {})[0]
    wide = [op.Add(a, op.Mul(b, op.const(0, op.dtype(b)))) for a, b in ((x, z), (z, x))]
    return op.build(node.op, wide, {})[0]


def broadcast(*shapes: Shape | None) -> tuple[int, ...] | None:
    """The shape that ``shapes`` broadcast to; None where one of them is not all numbers."""
    if any(s is None or not all(isinstance(d, int) for d in s) for s in shapes):
        return None
    return tuple(np.broadcast_shapes(*shapes))  # type: ignore[arg-type]


def _expanded(op: Op, x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x if op.shape(x) == shape else op.Expand(x, op.ints(*shape))
