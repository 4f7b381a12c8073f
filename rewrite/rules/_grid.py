"""Sampling between the elements of an image, as GridSample and DeformConv do, and onnxruntime has it.

Source: https://onnx.ai/onnx/operators/onnx__GridSample.html
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod

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


def taps_at(op: Op, places: list[Tensor], sizes: list[int]) -> list[list[Tap]]:
    """Per axis the taps at coordinates in elements: linear, and zero outside."""
    sampling = Sampling("linear", "zeros", align=True)
    return [_axis(op, _within_reach(op, at, n, sampling), n, sampling) for at, n in zip(places, sizes, strict=True)]


def sampled(op: Op, pixels: Tensor, along: list[list[Tap]], sizes: list[int]) -> Tensor:
    """The sum of weight times pixel over all combinations of taps, one along each axis.

    :param pixels: [N, prod(sizes), C].
    :param along: taps of shape [N, ...].
    :returns: [N, ..., C].
    """
    padded = along[0][0].inside is not None
    if padded:
        pixels = op.Pad(pixels, op.ints(0, 0, 0, 0, 1, 0), op.const(0, op.dtype(pixels)), mode="constant")
    last = op.ints(op.rank(along[0][0].index) or 0)
    total: Tensor = None
    for chosen in product(*along):
        index, weight = _combined(op, list(chosen), sizes)
        if padded:
            index = op.Where(_all(op, [t.inside for t in chosen]), index, op.ints(prod(sizes)))
        part = op.GatherND(pixels, op.Unsqueeze(op.Cast(index, to=_INT64), last), batch_dims=1)
        if weight is not None:
            part = op.Mul(part, op.Unsqueeze(weight, last))
        total = part if total is None else op.Add(total, part)
    return total


def _combined(op: Op, chosen: list[Tap], sizes: list[int]) -> tuple[Tensor, Tensor | None]:
    """The place in the flat image, and the product of the weights."""
    index, weight = chosen[0].index, chosen[0].weight
    for tap, size in zip(chosen[1:], sizes[1:], strict=True):
        index = op.Add(op.Mul(index, op.ints(size)), tap.index)
        weight = None if weight is None or tap.weight is None else op.Mul(weight, tap.weight)
    return index, weight


def _all(op: Op, conditions: list[Tensor]) -> Tensor:
    held = conditions[0]
    for other in conditions[1:]:
        held = op.And(held, other)
    return held


def _places(op: Op, given: Tensor, size: int, sampling: Sampling) -> Tensor:
    """Coordinates in elements, folded back into the axis or kept within two steps of it."""
    if sampling.align:
        at = op.Mul(op.Add(given, 1.0), (size - 1) / 2)
    else:
        at = op.Mul(op.Sub(op.Mul(op.Add(given, 1.0), float(size)), 1.0), 0.5)
    at = op.Round(at) if sampling.mode == "nearest" else at
    if sampling.padding == "reflection":
        return _folded(op, at, size, sampling)
    return _within_reach(op, at, size, sampling)


def _within_reach(op: Op, at: Tensor, size: int, sampling: Sampling) -> Tensor:
    """So far out all taps are padding, or all the outermost element.

    The coordinate itself is not moved to the border, where a cubic would weigh other elements.
    """
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
