"""CumSum of integers, and CumProd."""

from __future__ import annotations

import numpy as np

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule
from rewrite.rules._shapes import integers

#: CumProd takes a node an element.
LONGEST = 128


@rule("CumSum", cases=[
    case("(int64[2,5,3] x) => (int64[2,5,3] y) <int64 a = {1}> { y = CumSum(x, a) }"),
    case("(int64[2,7] x) => (int64[2,7] y) <int32[1] a = {-1}> { y = CumSum<exclusive=1>(x, a) }"),
    case("(int32[4,3] x) => (int32[4,3] y) <int64 a = {0}> { y = CumSum<reverse=1>(x, a) }"),
    case("(int64[N,8] x) => (int64[N,8] y) <int64 a = {1}> { y = CumSum<reverse=1, exclusive=1>(x, a) }"),
    case("(int64[1] x) => (int64[1] y) <int64 a = {0}> { y = CumSum(x, a) }"),
    case("(float[5] x, int64[1] a) => (float[5] y) <int64[0] s = {}, int64 o = {0}> "
         "{ b = Reshape(a, s) c = Mul(b, o) y = CumSum<exclusive=1>(x, c) }"),
    case("(float[2,3] x) => (float[2,3] y) <int64 a = {1}> { y = CumSum(x, a) }", refuses="rounding"),
    case("(int64[2,N] x) => (int64[2,N] y) <int64 a = {1}> { y = CumSum(x, a) }", refuses="how many"),
    case("(int64[2,3] x, int64 a) => (int64[2,3] y) { y = CumSum(x, a) }", refuses="not constant"),
])  # fmt: skip
def integer_cum_sum_to_doubling(op: Op, node: NodeView) -> Result:
    """CumSum(x): s <- s + (s moved on by d) for d = 1, 2, 4, ... (Hillis and Steele 1986); exclusive: less x"""
    along = _axis_and_size(op, node)
    if isinstance(along, Refusal):
        return along
    axis, size = along
    if op.dtype(node.x).kind not in "iu":
        if op.value(node.input(1)) is None:
            return op.build("CumSum", [node.x, op.const(axis, np.int64)], node.attributes)[0]
        return refuse("the order of a sum settles its rounding")
    total, step = op.Identity(node.x), 1
    while step < size:
        if node.attr("reverse"):
            done = _slice(op, total, axis, size - step, size)
            moved = op.Add(_slice(op, total, axis, 0, size - step), _slice(op, total, axis, step, size))
            total = op.Concat(moved, done, axis=axis)
        else:
            done = _slice(op, total, axis, 0, step)
            moved = op.Add(_slice(op, total, axis, step, size), _slice(op, total, axis, 0, size - step))
            total = op.Concat(done, moved, axis=axis)
        step *= 2
    return op.Sub(total, node.x) if node.attr("exclusive") else total


@rule("CumSum", cases=[
    case("(float[5] x) => (float[5] y) <int64 a = {0}> { y = CumSum(x, a) }"),
    case("(float[N] x) => (float[N] y) <int64 a = {-1}> { y = CumSum<exclusive=1, reverse=1>(x, a) }"),
    case("(float[2,3] x) => (float[2,3] y) <int64 a = {1}> { y = CumSum(x, a) }", refuses="no vector"),
])  # fmt: skip
def cum_sum_of_vector_to_row(op: Op, node: NodeView) -> Result:
    """CumSum(x) = Reshape(CumSum(Reshape(x, [1, n]); axis 1), [n])"""
    if op.rank(node.x) != 1:
        return refuse("it is no vector")
    row = op.Unsqueeze(node.x, op.ints(0))
    return op.Squeeze(op.build("CumSum", [row, op.const(1, np.int64)], node.attributes)[0], op.ints(0))


@rule("CumProd", cases=[
    case("(float[2,5,3] x) => (float[2,5,3] y) <int64 a = {1}> { y = CumProd(x, a) }"),
    case("(float[2,4] x) => (float[2,4] y) <int32[1] a = {-1}> { y = CumProd<exclusive=1>(x, a) }"),
    case("(float[4,3] x) => (float[4,3] y) <int64 a = {0}> { y = CumProd<reverse=1>(x, a) }"),
    case("(int64[2,4] x) => (int64[2,4] y) <int64 a = {1}> { y = CumProd<reverse=1, exclusive=1>(x, a) }"),
    case("(float[N,3] x) => (float[N,3] y) <int64 a = {1}> { y = CumProd(x, a) }"),
    case("(float[1] x) => (float[1] y) <int64 a = {0}> { y = CumProd<exclusive=1>(x, a) }"),
    case("(float[N,3] x) => (float[N,3] y) <int64 a = {1}> { y = CumProd<exclusive=1>(x, a) }", refuses="ones"),
    case("(float[200] x) => (float[200] y) <int64 a = {0}> { y = CumProd(x, a) }", refuses="128"),
])  # fmt: skip
def cum_prod_to_products(op: Op, node: NodeView) -> Result:
    """CumProd(x) = Concat(p_1, p_2, ...), p_i = p_(i-1) x_i

    One product after the other, as the definition has it: in another order partial products might overflow.
    """
    along = _axis_and_size(op, node)
    if isinstance(along, Refusal):
        return along
    axis, size = along
    if size > LONGEST:
        return refuse(f"{size} products one after the other; up to {LONGEST} are written out")
    order = list(range(size))[:: -1 if node.attr("reverse") else 1]
    parts = [_slice(op, node.x, axis, i, i + 1) for i in order]
    if node.attr("exclusive"):
        shape = op.static_shape(node.x)
        if shape is None:
            return refuse("how many ones go in front is not known")
        ones = np.ones([1 if i == axis else d for i, d in enumerate(shape)], op.dtype(node.x))
        parts = [op.const(ones), *parts[:-1]]
    products: list[Tensor] = []
    for i, part in enumerate(parts):
        first = i < (2 if node.attr("exclusive") else 1)
        products.append(part if first else op.Mul(products[-1], part))
    if size == 1:
        return products[0]
    return op.Concat(*products[:: -1 if node.attr("reverse") else 1], axis=axis)


def _axis_and_size(op: Op, node: NodeView) -> tuple[int, int] | Refusal:
    axes, shape = integers(op, node.input(1)), op.shape(node.x)
    axes = [0] if axes is None and shape is not None and len(shape) == 1 else axes  # a vector has no other
    if axes is None:
        return refuse("the axis is not constant")
    if shape is None or not isinstance(shape[axes[0]], int):
        return refuse(f"how many elements there are along axis {axes[0]} is not known")
    return axes[0] % len(shape), int(shape[axes[0]])


def _slice(op: Op, x: Tensor, axis: int, start: int, end: int) -> Tensor:
    return op.Slice(x, op.ints(start), op.ints(end), op.ints(axis), op.ints(1))
