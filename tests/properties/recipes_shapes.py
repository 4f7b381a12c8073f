"""Operators on shapes: what they take as sizes, axes and bounds follows from the tensor they work on."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from recipes import recipe
from sketch import FLOATS, INTS, KINDS, SIZES, Sketch, numbers

INT64 = TensorProto.INT64
INDEX = (TensorProto.INT64, TensorProto.INT32)


@recipe("Reshape")
def reshape(s: Sketch, operator: str) -> None:
    x = s.take(KINDS)
    sizes: list[int] = []
    left = prod(x.shape)
    while left > 1 and len(sizes) < 4 and s.chance(60):
        divisor = s.one([d for d in range(1, left + 1) if left % d == 0])
        sizes.append(divisor)
        left //= divisor
    target = [*sizes, left] if left != 1 or not s.chance(50) else sizes
    for k, size in enumerate(target):
        if k < x.rank and size == x.shape[k] and s.chance(30):
            target[k] = 0
    if target and 0 not in x.shape and s.chance(40):
        target[s.integer(0, len(target) - 1)] = -1
    s.node(operator, [x, s.values(target)], allowzero=s.one((None, None, 0)))


@recipe("Expand")
def expand(s: Sketch, operator: str) -> None:
    x = s.take(KINDS)
    target = [s.one(SIZES) if d == 1 else s.one((d, d, 1)) for d in x.shape]
    front = [s.one(SIZES) for _ in range(s.integer(0, 1))] if x.rank < 5 else []
    s.node(operator, [x, s.values([*front, *target])])


@recipe("Tile")
def tile(s: Sketch, operator: str) -> None:
    x = s.take(KINDS, (1, 2, 3, 4, 5, 0))
    s.node(operator, [x, s.values(s.ints(x.rank, 0 if s.chance(10) else 1, 3))])


@recipe("Squeeze")
def squeeze(s: Sketch, operator: str) -> None:
    x = s.take(KINDS, (2, 3, 4, 5, 1), (1, 2, 1, 3))
    ones = [k for k, d in enumerate(x.shape) if d == 1]
    chosen = [k - x.rank if s.chance(30) else k for k in ones if s.chance(60)]
    s.node(operator, [x, s.values(chosen) if chosen else None])


@recipe("Unsqueeze")
def unsqueeze(s: Sketch, operator: str) -> None:
    x = s.take(KINDS, (2, 1, 3, 0, 4))
    count = s.integer(1, 5 - x.rank)
    chosen = s.draw(st.permutations(range(x.rank + count)))[:count]
    s.node(operator, [x, s.values([k - x.rank - count if s.chance(30) else k for k in chosen])])


@recipe("Transpose")
def transpose(s: Sketch, operator: str) -> None:
    x = s.take(KINDS)
    s.node(operator, [x], perm=None if s.chance(20) else list(s.draw(st.permutations(range(x.rank)))))


@recipe("Flatten")
def flatten(s: Sketch, operator: str) -> None:
    x = s.take(KINDS)
    s.node(operator, [x], axis=None if s.chance(30) and x.rank else s.integer(-x.rank, x.rank))


@recipe("Concat")
def concat(s: Sketch, operator: str) -> None:
    x = s.take(KINDS, (2, 1, 3, 4, 5))
    axis = s.axis(x.rank)
    others = []
    for _ in range(s.integer(0, 2)):
        shape = list(x.shape)
        shape[axis] = s.one(SIZES)
        others.append(s.like(x.kind, shape))
    s.node(operator, s.draw(st.permutations([x, *others])), axis=axis)


@recipe("Split")
def split(s: Sketch, operator: str) -> None:
    x = s.take(KINDS, (2, 1, 3, 4, 5))
    axis = s.axis(x.rank)
    count = s.integer(1, min(4, max(1, x.shape[axis])))
    if s.chance(50):
        s.node(operator, [x], outputs=count, num_outputs=count, axis=axis)
        return
    cuts = sorted(s.ints(count - 1, 0, x.shape[axis]))
    sizes = [b - a for a, b in zip([0, *cuts], [*cuts, x.shape[axis]], strict=True)]
    s.node(operator, [x, s.values(sizes)], outputs=count, axis=axis)


@recipe("Slice")
def slice_(s: Sketch, operator: str) -> None:
    x = s.take(KINDS, (2, 1, 3, 4, 5))
    axes = s.axes(x.rank)
    kind = s.one(INDEX)
    starts, ends, steps = [], [], []
    for axis in axes:
        size = x.shape[axis]
        steps.append(s.one((1, 1, 2, -1, 3, -2)))
        starts.append(s.integer(-size - 1, size + 1))
        ends.append(s.one((2**31 - 1, -(2**31) + 1)) if s.chance(20) else s.integer(-size - 1, size + 1))
    operands = [s.values(v, kind) for v in (starts, ends)]
    whole = [a % x.rank for a in axes] == list(range(len(axes)))
    axes_in = None if whole and s.chance(50) else s.values(axes, kind)
    s.node(operator, [x, *operands, axes_in, s.values(steps, kind) if set(steps) != {1} else None])


@recipe("Pad")
def pad(s: Sketch, operator: str) -> None:
    x = s.take(KINDS, (2, 1, 3, 4, 5))
    mode = s.one(("constant", "reflect", "edge", "wrap"))
    axes = s.axes(x.rank) if s.chance(30) else None
    count = len(axes) if axes is not None else x.rank
    low = -1 if s.chance(15) else 0
    pads = s.ints(2 * count, low, 2 if mode == "constant" else 1)
    value = s.new(x.kind, (), constants=80) if mode == "constant" and s.chance(50) else None
    s.node(operator, [x, s.values(pads), value, s.values(axes) if axes else None], mode=mode)


@recipe("CenterCropPad")
def center_crop_pad(s: Sketch, operator: str) -> None:
    x = s.take(KINDS, (2, 3, 1, 4))
    axes = s.axes(x.rank) if s.chance(50) else None
    target = [s.one((3, 2, 5, 1, 6)) for _ in (axes if axes is not None else x.shape)]
    s.node(operator, [x, s.values(target, s.one(INDEX))], axes=axes)


@recipe("Shape")
def shape(s: Sketch, operator: str) -> None:
    x = s.take(KINDS)
    s.node(operator, [x], start=s.one((None, s.integer(-3, 3))), end=s.one((None, s.integer(-3, 3))))


@recipe("Size", "Identity")
def any_tensor(s: Sketch, operator: str) -> None:
    s.node(operator, [s.take(KINDS)])


@recipe("ConstantOfShape")
def constant_of_shape(s: Sketch, operator: str) -> None:
    kind = s.kind(KINDS)
    value = helper.make_tensor("value", kind, [1], [s.one((1, 0, 3))])
    s.node(operator, [s.values(list(s.shape()))], value=value if s.chance(80) else None)


@recipe("Constant")
def constant(s: Sketch, operator: str) -> None:
    values = numbers(np.random.default_rng(s.integer(0, 99)), s.kind(KINDS), s.shape())
    s.node(operator, [], value=numpy_helper.from_array(values, "value"))


@recipe("Range")
def range_(s: Sketch, operator: str) -> None:
    kind = s.kind((TensorProto.FLOAT, TensorProto.DOUBLE, *INTS[:2]))
    start, count, step = s.integer(-3, 3), s.integer(0, 5), s.one((1, 2, -1, -2))
    s.node(operator, [s.values(v, kind) for v in (start, start + count * step, step)])


@recipe("EyeLike")
def eye_like(s: Sketch, operator: str) -> None:
    x = s.take((*FLOATS[:3], *INTS, TensorProto.BOOL), (2,))
    s.node(operator, [x], k=s.one((None, 0, 1, -1)), dtype=s.kind((*FLOATS[:2], *INTS)) if s.chance(50) else None)


@recipe("DepthToSpace")
def depth_to_space(s: Sketch, operator: str) -> None:
    block = s.one((2, 1, 3))
    x = s.new(s.kind(KINDS), (s.one((1, 2)), block * block * s.one((1, 2)), s.one((2, 1, 3)), s.one((2, 1, 3))))
    s.node(operator, [x], blocksize=block, mode=s.one((None, "DCR", "CRD")))


@recipe("SpaceToDepth")
def space_to_depth(s: Sketch, operator: str) -> None:
    block = s.one((2, 1, 3))
    x = s.new(s.kind(KINDS), (s.one((1, 2)), s.one((1, 2, 3)), block * s.one((1, 2)), block * s.one((2, 1))))
    s.node(operator, [x], blocksize=block)


@recipe("ReverseSequence")
def reverse_sequence(s: Sketch, operator: str) -> None:
    x = s.take(KINDS, (2, 3, 4))
    time = s.one((0, 1))
    if not x.shape[time]:
        time = 1 - time
    lengths = s.ints(x.shape[1 - time], 1, max(1, x.shape[time]))
    s.node(operator, [x, s.values(lengths)], time_axis=time, batch_axis=1 - time)


@recipe("Col2Im")
def col2im(s: Sketch, operator: str) -> None:
    image = s.ints(2, 3, 5)
    block, strides, dilations = s.ints(2, 1, 2), s.ints(2, 1, 2), s.ints(2, 1, 2)
    pads = s.ints(4, 0, 1)
    counts = [
        (i + pads[k] + pads[k + 2] - d * (b - 1) - 1) // t + 1
        for k, (i, b, t, d) in enumerate(zip(image, block, strides, dilations, strict=True))
    ]
    x = s.new(s.kind((*FLOATS[:3], *INTS[:2])), (s.integer(1, 2), s.integer(1, 2) * prod(block), prod(counts)))
    s.node(operator, [x, s.values(image), s.values(block)], strides=strides, pads=pads, dilations=dilations)


@recipe("Resize")
def resize(s: Sketch, operator: str) -> None:
    x = s.take((*FLOATS[:3], *INTS[:3], TensorProto.UINT8), (4, 3, 2, 5), (2, 3, 4, 1, 5))
    mode = s.one(("nearest", "linear", "cubic"))
    ways = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric")
    axes = sorted(a % x.rank for a in s.axes(x.rank)) if s.chance(30) else None
    moved = axes if axes is not None else range(x.rank)
    free = [axes is not None or k >= x.rank - 2 for k in moved]
    attributes: dict[str, Any] = {
        "mode": mode,
        "axes": axes,
        "coordinate_transformation_mode": s.one((None, *ways)),
        "nearest_mode": s.one((None, "floor", "ceil", "round_prefer_floor", "round_prefer_ceil")),
        "exclude_outside": s.one((None, None, 1)) if mode == "cubic" else None,
        "antialias": s.one((None, None, None, 1)) if mode != "nearest" else None,
    }
    if s.chance(50):
        factors = [s.one((2.0, 0.5, 1.5, 1.0, 3.0)) if f else 1.0 for f in free]
        s.node(operator, [x, None, s.constant(np.array(factors, np.float32))], **attributes)
    else:
        sizes = [s.one((2, 4, 3, 1, 6)) if f else x.shape[k] for k, f in zip(moved, free, strict=True)]
        policy = s.one((None, None, "stretch", "not_larger", "not_smaller"))
        s.node(operator, [x, None, None, s.values(sizes)], keep_aspect_ratio_policy=policy, **attributes)
