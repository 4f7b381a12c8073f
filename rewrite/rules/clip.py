"""Clip, with bounds that cross, are left out, or come at run time."""

from __future__ import annotations

from rewrite.rule import NodeView, Op, Result, case, refuse, rule


@rule("Clip", cases=[
    case("(float[2,3] x) => (float[2,3] y) <float a = {1}, float b = {-1}> { y = Clip(x, a, b) }"),
    case("(float[2,3] x) => (float[2,3] y) <float a = {0.5}> { y = Clip(x, a) }"),
    case("(float[N,3] x) => (float[N,3] y) <float b = {0.5}> { y = Clip(x, , b) }"),
    case("(float[2,3] x) => (float[2,3] y) { y = Clip(x) }"),
    case("(float[2,3] x, float[1] p, float[1] q) => (float[2,3] y) <int64[0] e = {}> "
         "{ a = Reshape(p, e) b = Reshape(q, e) y = Clip(x, a, b) }"),
    case("(int64[2,3] x) => (int64[2,3] y) <int64 a = {2}, int64 b = {1}> { y = Clip(x, a, b) }"),
    case("(int32[2,3] x) => (int32[2,3] y) <int32 a = {1}> { y = Clip(x, a) }"),
    case("(uint8[2,3] x) => (uint8[2,3] y) <uint8 a = {1}> { y = Clip(x, a) }", refuses="wider"),
])  # fmt: skip
def clip_to_min_max(op: Op, node: NodeView) -> Result:
    """Clip(x; a, b) = Min(Max(x, a), b), which is b where a > b"""
    low, high = node.input(1), node.input(2)
    if op.dtype(node.x).itemsize < 4:
        return refuse("a wider type takes both bounds at once")
    bounded = node.x if low is None else op.Max(node.x, low)
    if high is not None:
        return op.Min(bounded, high)
    return op.Identity(bounded) if low is None else bounded
