"""CumSum."""

from __future__ import annotations

from sofie_bridge.stages.library import Answer, Given, Gives, case, kernel


@kernel(
    "CumSum",
    cases=[
        case("(int32[N] x) => (int32[N] y) <int64 a = {0}> { y = CumSum(x, a) }"),
        case("(int64[2,N,3] x) => (int64[2,N,3] y) <int64 a = {1}> { y = CumSum<exclusive=1>(x, a) }"),
        case("(int64[N,3] x) => (int64[N,3] y) <int32[1] a = {-2}> { b = CumSum<reverse=1>(x, a) y = Add(b, b) }"),
        case("(double[2,N] x) => (double[2,N] y) <int64 a = {1}> { y = CumSum<exclusive=1, reverse=1>(x, a) }"),
        case("(int32[N,3] x, int64[1] b) => (int32[N,3] y) { y = CumSum(x, b) }", {"b": [-1]}),
    ],
)
def cum_sum(given: Given) -> Answer:
    """y = the sum of the elements of x up to each, along an axis, with it or without it, from either end"""
    x = given.tensor(0)
    return Gives((x.like(),), {n: bool(given.attributes.get(n, 0)) for n in ("exclusive", "reverse")})
