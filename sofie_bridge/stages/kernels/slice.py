"""Slice."""

from __future__ import annotations

from typing import Any

from convert.custom import Counted, Tensor
from sofie_bridge.stages.library import Answer, Given, Gives, case, kernel

_FROM_TO = "(float[N,4] x, int64[1] a, int64[1] b) => (float[M,4] y)"
_STEPS = "(int64[2,N,3] x, int32[2] a, int32[2] b, int32[2] axes, int32[2] s) => (int64[K,M,L] y)"
#: Instead of a size: it is counted; it is as that of x.
_COUNTED, _AS_IT_IS = -1, -2


@kernel(
    "Slice",
    cases=[
        case(f"{_FROM_TO} {{ y = Slice(x, a, b) }}", {"a": [1], "b": [2]}),
        case(f"{_FROM_TO} {{ y = Slice(x, a, b) }}", {"a": [-3], "b": [99]}),
        case(f"{_FROM_TO} {{ y = Slice(x, a, b) }}", {"a": [2], "b": [1]}),
        case(
            "(int64[2,N,3] x, int32[2] a, int32[2] b) => (int64[2,M,K] y)"
            " <int32[2] axes = {-2, 2}, int32[2] s = {-1, 2}> { z = Slice(x, a, b, axes, s) y = Add(z, z) }",
            {"a": [99, -9], "b": [-99, 9]},
        ),
        case(
            f"{_STEPS} {{ y = Slice(x, a, b, axes, s) }}",
            {"a": [-1, 0], "b": [-99, 2], "axes": [-1, 1], "s": [-2, 1]},
        ),
        case(
            "(bool[7] x, int64[1] a, int64[1] b) => (bool[M] y) <int64[1] s = {-2}> { y = Slice(x, a, b, , s) }",
            {"a": [5], "b": [0]},
        ),
        case("(float[5] x, int64[1] a) => (float[3] y) <int64[1] b = {4}> { y = Slice(x, a, b) }", {"a": [1]}),
    ],
)
def cut(given: Given) -> Answer:
    """y = x from where to where a pair of numbers says, along each of some axes, in steps"""
    x, told = given.tensor(0), given.outputs[0]
    axes = _cut_axes(given, len(x.shape))
    shape: list[Any] = list(x.shape)
    sizes = [_AS_IT_IS] * len(shape)
    for axis in axes:
        size = told.shape[axis] if told is not None else None
        sizes[axis] = size if isinstance(size, int) else _COUNTED
        shape[axis] = size if isinstance(size, int) else Counted(f"left of axis {axis}", at_most=x.shape[axis])
    counted = [axis for axis, size in enumerate(sizes) if size == _COUNTED]
    return Gives((x.like(shape=shape),), {"sizes": sizes, "counted": counted})


def _cut_axes(given: Given, rank: int) -> list[int]:
    """The axes that may be cut: all of them where that is not known before it runs."""
    axes: Tensor | None = given.maybe(3)
    count = given.tensor(1).shape[0]
    if axes is None:
        return list(range(count if isinstance(count, int) else rank))
    return list(range(rank)) if axes.value is None else [int(a) % rank for a in axes.value.reshape(-1)]
