"""MatMul and Conv of 8-bit integers as exact float arithmetic: float32 holds each integer up to 2^24."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod

import numpy as np

from rewrite.graph import Array, Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule
from rewrite.rules.convolution_attributes import explicit

#: Up to here float32 counts without a gap.
EXACT = 1 << 24

#: More parts than this are no way to multiply matrices.
PARTS = 64

_FLOAT, _INT32 = 1, 6


@rule("MatMulInteger", cases=[
    case("(uint8[2,3] a, uint8[3,2] b) => (int32[2,2] y) <uint8 z={12}, uint8 w={3}>"
         " { y = MatMulInteger(a, b, z, w) }"),
    case("(uint8[N,3] a) => (int32[N,2] y) <int8[3,2] b={1,-2,3,-4,5,-128}, uint8 z={200}, int8[2] w={1,-1}>"
         " { y = MatMulInteger(a, b, z, w) }"),
    case("(int8[2,2,3] a, int8[2,3,2] b) => (int32[2,2,2] y) { y = MatMulInteger(a, b) }"),
    case("(uint8[2,700] a, uint8[700,1] b) => (int32[2,1] y) { y = MatMulInteger(a, b) }"),
    case("(uint8[2,K] a, uint8[K,1] b) => (int32[2,1] y) { y = MatMulInteger(a, b) }", refuses="2^24"),
])  # fmt: skip
def mat_mul_integer_to_mat_mul(op: Op, node: NodeView) -> Result:
    """MatMulInteger(a, b) = (a - za)(b - zb) in float32, in parts none of whose sums leaves 2^24"""
    parts = mat_mul_parts(op, node.inputs[0], node.inputs[1], node.input(2), node.input(3))
    return parts if isinstance(parts, Refusal) else as_int(op, parts)


@rule("ConvInteger", cases=[
    case("(uint8[1,1,3,3] x) => (int32[1,2,4,4] y) <uint8[2,1,2,2] w={1,2,3,4,5,6,7,255}, uint8 z={1}>"
         " { y = ConvInteger<pads=[1,1,1,1]>(x, w, z) }"),
    case("(uint8[N,2,5] x) => (int32[N,2,3] y) <uint8[2,1,3] w={1,2,3,4,5,255}, uint8 z={9}, uint8 v={128}>"
         " { y = ConvInteger<group=2>(x, w, z, v) }"),
    case("(uint8[1,1,4] x) => (int32[1,1,2] y) <uint8[1,1,3] w={1,2,3}>"
         " { y = ConvInteger<strides=[2], auto_pad=\"SAME_LOWER\">(x, w) }"),
])  # fmt: skip
def conv_integer_to_conv(op: Op, node: NodeView) -> Result:
    """ConvInteger(x, w) = Conv(x - zx, w - zw) in float32, in parts none of whose sums leaves 2^24"""
    parts = conv_parts(op, node, node.inputs[0], node.inputs[1], node.input(2), node.input(3))
    return parts if isinstance(parts, Refusal) else as_int(op, parts)


def mat_mul_parts(op: Op, a: Tensor, b: Tensor, a_zero: Tensor | None, b_zero: Tensor | None) -> list[Tensor] | Refusal:
    """(a - a_zero)(b - b_zero) in float32, as parts whose sum, in integers, it is."""
    shape = op.shape(b)
    left, right = _less(op, a, along_rows(op, a_zero)), _less(op, b, b_zero)
    most = _most(op, a, a_zero)
    weights = op.value(right)
    axis = max(0, (op.rank(b) or 1) - 2)
    inner = None if shape is None else shape[axis]
    if not isinstance(inner, int):
        return refuse("the inner size is not fixed: it is not known whether float32 holds the sums, below 2^24")
    loads = np.full((inner, 1), _most(op, b, b_zero)) if weights is None else np.moveaxis(np.abs(weights), axis, 0)
    return _in_parts(op, (left, right), ((op.rank(a) or 1) - 1, axis), loads.reshape(inner, -1) * most, op.MatMul)


def conv_parts(
    op: Op, node: NodeView, x: Tensor, w: Tensor, x_zero: Tensor | None, w_zero: Tensor | None
) -> list[Tensor] | Refusal:
    """Conv(x - x_zero, w - w_zero) in float32, as parts whose sum, in integers, it is."""
    shape, sizes = op.static_shape(w), op.shape(x)
    if shape is None or sizes is None:
        return refuse("the weights' shape is not fixed: it is not known whether float32 holds the sums, below 2^24")
    attributes = explicit(node, sizes[2:], shape[2:])
    if isinstance(attributes, Refusal):
        return attributes
    if w_zero is not None and op.shape(w_zero) not in ((), (1,)):
        w_zero = op.Reshape(w_zero, op.ints(-1, *[1] * (len(shape) - 1)))
    left, right = _less(op, x, x_zero), _less(op, w, w_zero)
    weights = op.value(right)
    taps = prod(shape[2:])
    loads = np.full((shape[1], 1), _most(op, w, w_zero) * taps)
    if weights is not None:
        loads = np.abs(weights).reshape(*shape[:2], taps).sum(axis=2).transpose()
    loads = loads * _most(op, x, x_zero)
    if attributes["group"] > 1 and loads.sum(axis=0).max() >= EXACT:
        return refuse("float32 does not hold the sums of a group, which reach 2^24")
    return _in_parts(op, (left, right), (1, 1), loads, lambda a, b: op.Conv(a, b, **attributes))


def _in_parts(
    op: Op,
    factors: tuple[Tensor, Tensor],
    axes: tuple[int, int],
    loads: Array,
    product: Callable[[Tensor, Tensor], Tensor],
) -> list[Tensor] | Refusal:
    """The product cut along what is summed over, so that no sum over a part reaches 2^24.

    :param loads: [summed over, results]: what each index can add to the magnitude of each result.
    """
    sizes, reached = [0], np.zeros(loads.shape[1])
    for load in loads:
        reached = reached + load
        if reached.max(initial=0) >= EXACT:
            if load.max() >= EXACT:
                return refuse("float32 does not hold the sum of a single channel's taps, which reaches 2^24")
            sizes.append(0)
            reached = load
        sizes[-1] += 1
    if len(sizes) == 1:
        return [product(*factors)]
    if len(sizes) > PARTS:
        return refuse(f"float32 holds the sums, below 2^24, only in {len(sizes)} parts")
    cut = [
        op.build("Split", [f, op.ints(*sizes)], {"axis": axis}, outputs=len(sizes))
        for f, axis in zip(factors, axes, strict=True)
    ]
    return [product(a, b) for a, b in zip(*cut, strict=True)]


def as_int(op: Op, parts: Sequence[Tensor]) -> Tensor:
    """The sum of the parts, int32."""
    return reduce(op.Add, [op.Cast(p, to=_INT32) for p in parts])


def _less(op: Op, tensor: Tensor, zero: Tensor | None) -> Tensor:
    """``tensor`` less its zero point, in float32; a constant is computed here."""
    value, offset = op.value(tensor), None if zero is None else op.value(zero)
    if value is not None and (zero is None or offset is not None):
        return op.const(value.astype(np.float32) - (0 if offset is None else offset.astype(np.float32)), np.float32)
    wide = op.Cast(tensor, to=_FLOAT)
    if zero is None or (offset is not None and not offset.any()):
        return wide
    return op.Sub(wide, op.Cast(zero, to=_FLOAT))


def _most(op: Op, tensor: Tensor, zero: Tensor | None) -> int:
    """The largest magnitude of ``tensor`` less its zero point."""
    limits = np.iinfo(op.dtype(tensor))
    if zero is None:
        return max(limits.max, -limits.min)
    value = op.value(zero)
    if value is None:
        return int(limits.max) - int(limits.min)
    return max(int(limits.max) - int(value.min()), int(value.max()) - int(limits.min))


def along_rows(op: Op, parameter: Tensor | None) -> Tensor | None:
    """A scale or zero point per row of ``a``, as a column."""
    if parameter is None or op.shape(parameter) in ((), (1,)) or op.rank(parameter) != 1:
        return parameter
    return op.Unsqueeze(parameter, op.ints(1))
