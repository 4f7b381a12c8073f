"""Signals, pictures seen from elsewhere, and what needs shapes of its own."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from recipes import recipe
from sketch import FLOATS, INTS, Sketch

FLOAT = TensorProto.FLOAT


@recipe("DFT")
def dft(s: Sketch, operator: str) -> None:
    parts = s.one((1, 2))
    x = s.new(s.kind(FLOATS[:2]), (s.integer(1, 2), s.integer(2, 5), s.integer(1, 3), parts))
    axis = s.one((1, 2, -2, -3))
    length = s.values(s.integer(1, 6)) if s.chance(40) else None
    inverse = s.one((None, 1))
    onesided = s.one((None, 1)) if parts == 1 and not inverse else None
    s.node(operator, [x, length, s.values(axis)], inverse=inverse, onesided=onesided)


@recipe("STFT")
def stft(s: Sketch, operator: str) -> None:
    x = s.new(s.kind(FLOATS[:2]), (s.integer(1, 2), s.integer(6, 9), 1))
    frame = s.one((4, 2, 3))
    window = s.like(x.kind, (frame,)) if s.chance(60) else None
    s.node(operator, [x, s.values(s.integer(1, 3)), window, s.values(frame)], onesided=s.one((None, 0, 1)))


@recipe("HannWindow", "HammingWindow", "BlackmanWindow")
def window(s: Sketch, operator: str) -> None:
    kind = s.kind(FLOATS[:3]) if s.chance(50) else None
    s.node(operator, [s.values(s.integer(1, 6), s.one(INTS[:2]))], periodic=s.one((None, 0, 1)), output_datatype=kind)


@recipe("GridSample")
def grid_sample(s: Sketch, operator: str) -> None:
    kind = s.kind(FLOATS[:2])
    rank = s.one((2, 2, 2, 3))
    batch = s.integer(1, 2)
    x = s.like(kind, (batch, s.integer(1, 2), *s.ints(rank, 2, 4)), constants=0)
    grid = s.like(kind, (batch, *s.ints(rank, 1, 3), rank))
    mode = s.one((None, "linear", "nearest", *(("cubic",) if rank == 2 else ())))
    padding = s.one((None, "zeros", "border", "reflection"))
    s.node(operator, [x, grid], mode=mode, padding_mode=padding, align_corners=s.one((None, 1)))


@recipe("AffineGrid")
def affine_grid(s: Sketch, operator: str) -> None:
    rank = s.one((2, 3))
    batch = s.integer(1, 2)
    theta = s.like(s.kind(FLOATS[:2]), (batch, rank, rank + 1), constants=0)
    s.node(operator, [theta, s.values([batch, s.integer(1, 2), *s.ints(rank, 1, 3)])], align_corners=s.one((None, 1)))


@recipe("RoiAlign")
def roi_align(s: Sketch, operator: str) -> None:
    x = s.new(FLOAT, (s.integer(1, 2), s.integer(1, 2), s.integer(3, 5), s.integer(3, 5)))
    count = s.integer(1, 2)
    corners = np.array(
        [[s.integer(0, 2), s.integer(0, 2), s.integer(2, 5), s.integer(2, 5)] for _ in range(count)], np.float32
    )
    batches = s.constant(np.array(s.ints(count, 0, x.shape[0] - 1)))
    s.node(
        operator,
        [x, s.constant(corners), batches],
        mode=s.one((None, "avg", "max")),
        output_height=s.integer(1, 3),
        output_width=s.integer(1, 3),
        sampling_ratio=s.integer(0, 2),
        spatial_scale=s.one((None, 0.5)),
        coordinate_transformation_mode=s.one((None, "output_half_pixel")),
    )


@recipe("MaxRoiPool")
def max_roi_pool(s: Sketch, operator: str) -> None:
    x = s.new(FLOAT, (1, s.integer(1, 2), s.integer(3, 5), s.integer(3, 5)))
    corners = np.array([[0, s.integer(0, 2), s.integer(0, 2), s.integer(2, 4), s.integer(2, 4)]], np.float32)
    s.node(operator, [x, s.constant(corners)], pooled_shape=s.ints(2, 1, 2))


@recipe("Det")
def det(s: Sketch, operator: str) -> None:
    size = s.integer(1, 4)
    s.node(operator, [s.like(s.kind(FLOATS[:2]), (*s.shape((0, 1, 2), (2, 1, 3)), size, size), constants=0)])


@recipe("NonMaxSuppression")
def non_max_suppression(s: Sketch, operator: str) -> None:
    boxes = s.new(FLOAT, (1, 3, 4))
    s.node(operator, [boxes, s.new(FLOAT, (1, 1, 3)), s.values([2])])


@recipe("RandomNormalLike", "RandomUniformLike", "Bernoulli")
def random_like(s: Sketch, operator: str) -> None:
    s.node(operator, [s.take((FLOAT,))])


@recipe("MelWeightMatrix")
def mel_weight_matrix(s: Sketch, operator: str) -> None:
    bounds = [s.constant(np.array(v, np.float32)) for v in (0.0, 4000.0)]
    s.node(operator, [s.values(v) for v in (4, 16, 8192)] + bounds)
