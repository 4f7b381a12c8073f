"""Shapes as rules write them down: constants where they can be, else parts of ``Shape`` of a tensor at hand."""

from __future__ import annotations

from math import gcd, prod

import numpy as np
from onnx import TensorProto

from rewrite.graph import Array, Shape, Tensor
from rewrite.rule import Op

#: A dimension that a rule wants: a size, or a symbol of the tensor that is reshaped.
Dimension = int | str


def constant_shape(before: Shape, after: Shape) -> list[int] | None:
    """``after`` as Reshape's constant shape; None where no constant says it.

    0 stands for a dimension that stays where it is, -1 for the only one that is not known otherwise.
    """
    if all(isinstance(d, int) for d in after):
        return [int(d) for d in after]
    if any(d == 0 for d in (*before, *after)):
        return None
    kept = [isinstance(d, str) and i < len(before) and before[i] == d for i, d in enumerate(after)]
    if all(isinstance(d, int) or k for d, k in zip(after, kept, strict=True)):
        return [d if isinstance(d, int) else 0 for d in after]
    symbols = [d for d in after if isinstance(d, str)]
    if len(symbols) > 1 or fixed(before) != fixed(after):
        return None
    return [d if isinstance(d, int) else -1 for d in after]


def fixed(shape: Shape) -> int:
    """The product of the sizes that are numbers."""
    return prod(d for d in shape if isinstance(d, int))


def reshaped(op: Op, x: Tensor, after: Shape) -> Tensor | None:
    """``x`` in the shape ``after``, whose symbols are those of ``x`` or of inputs, but for at most one; else None."""
    before = op.shape(x)
    if before is None:
        return None
    constant = constant_shape(before, after)
    if constant is not None:
        return op.Reshape(x, op.ints(*constant), allowzero=int(all(isinstance(d, int) for d in after) and 0 in after))
    return reshaped_by_sizes(op, x, after)


def reshaped_by_sizes(op: Op, x: Tensor, after: Shape) -> Tensor | None:
    """As :func:`reshaped`, with sizes read off tensors where a constant may do, too."""
    before = op.shape(x)
    if before is None:
        return None
    parts = _parts(op, x, before, after)
    if parts is None:
        return None
    made = op.Reshape(x, op.Concat(*parts, axis=0), allowzero=0)
    made.shape = after  # inference of the one node does not look into what computes its shape
    return made


def _parts(op: Op, x: Tensor, before: Shape, after: Shape) -> list[Tensor] | None:
    """One 1-D int64 tensor per dimension of ``after``."""
    if any(d == 0 for d in (*before, *after)):
        return None
    known = [d for d in after if isinstance(d, str) and d in before]
    strange = [d for d in after if isinstance(d, str) and d not in before and op.source(d) is None]
    if len(strange) > 1:
        return None
    parts = [None if d in strange else _part(op, x, before, d) for d in after]
    if strange:
        left = list(before)
        for d in known:
            if d not in left:
                return None
            left.remove(d)
        sourced = any(isinstance(d, str) and d not in before and d not in strange for d in after)
        rest = op.ints(-1) if sourced else _product(op, x, before, left, fixed(after))
        parts = [rest if p is None else p for p in parts]
    return parts


def _part(op: Op, x: Tensor, before: Shape, d: Dimension) -> Tensor:
    """One dimension: a number, a size of ``x``, or one of the model's inputs."""
    if isinstance(d, int):
        return op.ints(d)
    found = (x, before.index(d)) if d in before else op.source(d)
    assert found is not None, d
    return size(op, *found)


def _product(op: Op, x: Tensor, before: Shape, left: list[Dimension], divisor: int) -> Tensor:
    """The product of the dimensions ``left`` of ``x`` over ``divisor``; of numbers alone, Reshape finds it."""
    symbols = [d for d in left if isinstance(d, str)]
    if not symbols:
        return op.ints(-1)
    common = gcd(fixed(tuple(left)), divisor)
    factor, divisor = fixed(tuple(left)) // common, divisor // common
    seen: list[int] = []
    for d in symbols:
        seen.append(next(i for i, b in enumerate(before) if b == d and i not in seen))
    total = size(op, x, seen[0])
    for i in seen[1:]:
        total = op.Mul(total, size(op, x, i))
    total = op.Mul(total, op.ints(factor)) if factor != 1 else total
    return op.Div(total, op.ints(divisor)) if divisor != 1 else total


def size(op: Op, x: Tensor, axis: int) -> Tensor:
    """The size of one axis as a 1-D int64 tensor."""
    shape = op.shape(x)
    if shape is not None and isinstance(shape[axis], int):
        return op.ints(int(shape[axis]))
    return op.Shape(x, start=axis, end=axis + 1)


def places(op: Op, x: Tensor, axis: int, *, backwards: bool = False) -> Tensor:
    """0, 1, ... along an axis of ``x``, 1-D int64, or from the last on back: sums of ones, in float32 whole to 2^24.

    They are added up along the second of two axes: SOFIE's code for a line cannot stand twice in a header.
    """
    ones = op.ConstantOfShape(size(op, x, axis), value=op.const(np.ones(1, np.float32)))
    row = op.Unsqueeze(ones, op.ints(0))
    sums = op.CumSum(row, op.const(1, np.int64), exclusive=1, reverse=int(backwards))
    return op.Squeeze(op.Cast(sums, to=TensorProto.INT64), op.ints(0))


def integers(op: Op, tensor: Tensor | None) -> list[int] | None:
    """The numbers in a constant tensor of integers; None where it is left out or not constant."""
    held = op.value(tensor)
    return None if held is None else [int(v) for v in np.asarray(held).reshape(-1)]


def normal_axes(axes: list[int], rank: int) -> list[int]:
    """Axes counted from the front."""
    return [a % rank if a < 0 else a for a in axes]


def take(op: Op, x: Tensor, indices: Array, axis: int) -> Tensor:
    """``x`` at constant ``indices`` along ``axis``: a Slice where they run on by one, else a Gather."""
    flat = [int(i) for i in np.asarray(indices).reshape(-1)]
    if flat and np.ndim(indices) == 1 and flat == list(range(flat[0], flat[0] + len(flat))):
        return op.Slice(x, op.ints(flat[0]), op.ints(flat[-1] + 1), op.ints(axis), op.ints(1))
    return op.Gather(x, op.const(indices, np.int64), axis=axis)
