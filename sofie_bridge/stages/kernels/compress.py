"""Compress."""

from __future__ import annotations

from math import prod

from convert.custom import Counted
from sofie_bridge.stages.library import Answer, Given, Gives, case, kernel

_HALF = {"c": [False, True]}


@kernel(
    "Compress",
    cases=[
        case("(float[3,4] x, bool[2] c) => (float[M,4] y) { y = Compress<axis=0>(x, c) }", _HALF),
        case("(int64[3,N] x, bool[3] c) => (int64[M,N] y) { y = Compress<axis=-2>(x, c) }"),
        case("(float[2,N,3] x, bool[N] c) => (float[2,M,3] y) { a = Compress<axis=1>(x, c) y = Neg(a) }"),
        case("(float[3,4] x, bool[7] c) => (float[M] y) { y = Compress(x, c) }"),
        case("(float[3] x, bool[5] c) => (float[M] y) { y = Compress(x, c) }", {"c": [True] * 5}),
        case("(float[3] x, bool[3] c) => (float[M] y) { y = Compress(x, c) }", {"c": [False] * 3}),
    ],
)
def compress(given: Given) -> Answer:
    """y = the slices of x along the axis, or without one the elements, for which the condition holds"""
    x = given.tensor(0)
    if "axis" not in given.attributes:
        return Gives((x.like(shape=(Counted("chosen", at_most=prod(x.shape)),)),), {"axis": -1})
    axis = given.axis("axis", len(x.shape), 0)
    chosen = Counted("chosen", at_most=x.shape[axis])
    return Gives((x.like(shape=(*x.shape[:axis], chosen, *x.shape[axis + 1 :])),), {"axis": axis})
