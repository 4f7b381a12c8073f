"""Where GridSample looks, as onnxruntime has it. Source: https://onnx.ai/onnx/operators/onnx__GridSample.html"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rewrite.graph import Tensor
from rewrite.rule import Op

_INT64 = 7
_A = -0.75


@dataclass(frozen=True)
class Sampling:
    """The operator's attributes."""

    mode: str
    padding: str
    align: bool

    @property
    def reach(self) -> int:
        """Elements on either side that take part."""
        return {"nearest": 0, "linear": 1, "cubic": 2}[self.mode]

    def bounds(self, size: int) -> tuple[float, float]:
        """Where an axis ends: in the middle of its outermost elements, or at their far side."""
        return (0.0, size - 1.0) if self.align else (-0.5, size - 0.5)


@dataclass(frozen=True)
class Tap:
    """One element that takes part, along one axis.

    :param index: int64, within the axis. :param weight: None for 1. :param inside: bool, where zeros pad.
    """

    index: Tensor
    weight: Tensor | None
    inside: Tensor | None


def taps(op: Op, given: list[Tensor], sizes: list[int], sampling: Sampling) -> list[list[Tap]]:
    """Per axis the taps at the coordinates ``given``, which run from -1 to 1."""
    return [_axis(op, _places(op, g, n, sampling), n, sampling) for g, n in zip(given, sizes, strict=True)]


def _places(op: Op, given: Tensor, size: int, sampling: Sampling) -> Tensor:
    """Coordinates in elements, folded back into the axis or kept within two steps of it."""
    if sampling.align:
        at = op.Mul(op.Add(given, 1.0), (size - 1) / 2)
    else:
        at = op.Mul(op.Sub(op.Mul(op.Add(given, 1.0), float(size)), 1.0), 0.5)
    at = op.Round(at) if sampling.mode == "nearest" else at
    if sampling.padding == "reflection":
        return _folded(op, at, size, sampling)
    # so far out all taps are padding, or all the outermost element: the coordinate itself is not moved to the border,
    # where a cubic would weigh other elements
    beyond = sampling.reach + 1.0
    return _clip(op, at, -beyond, size - 1 + beyond)


def _clip(op: Op, at: Tensor, low: float, high: float) -> Tensor:
    return op.Min(op.Max(at, np.full(1, low, op.dtype(at))), np.full(1, high, op.dtype(at)))


def _folded(op: Op, at: Tensor, size: int, sampling: Sampling) -> Tensor:
    """Mirrored at the ends of the axis."""
    low, high = sampling.bounds(size)
    period = 2 * (high - low)
    shifted = op.Sub(at, low)
    rest = op.Sub(shifted, op.Mul(op.Floor(op.Div(shifted, period)), period))
    return op.Add(op.Min(rest, op.Sub(np.full(1, period, op.dtype(at)), rest)), low)


def _axis(op: Op, at: Tensor, size: int, sampling: Sampling) -> list[Tap]:
    if sampling.mode == "nearest":
        return [_tap(op, at, None, size, sampling)]
    base = op.Floor(at)
    share = op.Sub(at, base)
    made = []
    for step in range(1 - sampling.reach, sampling.reach + 1):
        place = op.Add(base, float(step)) if step else base
        # share - step for an element on the left, step - share for one on the right
        distance = op.Add(share, float(-step)) if step < 0 else op.Sub(np.full(1, step, op.dtype(at)), share)
        distance = distance if step else share
        if sampling.mode == "cubic":
            weight = _cubic(op, distance, near=step in (0, 1))
        else:
            weight = op.Sub(np.ones(1, op.dtype(at)), distance)
        made.append(_tap(op, place, weight, size, sampling))
    return made


def _cubic(op: Op, d: Tensor, *, near: bool) -> Tensor:
    """Keys' kernel at the distance d, 0 to 1 or 1 to 2."""
    if near:
        return op.Add(op.Mul(op.Mul(op.Sub(op.Mul(d, _A + 2), _A + 3), d), d), 1.0)
    return op.Sub(op.Mul(op.Add(op.Mul(op.Sub(op.Mul(d, _A), 5 * _A), d), 8 * _A), d), 4 * _A)


def _tap(op: Op, place: Tensor, weight: Tensor | None, size: int, sampling: Sampling) -> Tap:
    inside = None
    if sampling.padding == "zeros":
        inside = op.And(op.GreaterOrEqual(place, 0.0), op.LessOrEqual(place, size - 1.0))
    if sampling.padding == "reflection" and sampling.mode == "cubic":
        place = _folded(op, place, size, sampling)
    return Tap(op.Cast(_clip(op, place, 0.0, size - 1.0), to=_INT64), weight, inside)
