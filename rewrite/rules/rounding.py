"""Ceil, Round and Sign."""

from __future__ import annotations

import numpy as np

from rewrite.rule import NodeView, Op, Result, case, refuse, rule

#: From here on every float32 is an integer; and a + 2^23, 0 <= a < 2^23, has no room for a fraction.
WHOLE = float(1 << 23)


@rule("Ceil", cases=[
    case("(float[2,3,4] x) => (float[2,3,4] y) { y = Ceil(x) }"),
    case("(float[N,5] x) => (float[N,5] y) { y = Ceil(x) }"),
])  # fmt: skip
def ceil_to_floor(op: Op, node: NodeView) -> Result:
    """Ceil(x) = -Floor(-x)"""
    return op.Neg(op.Floor(op.Neg(node.x)))


@rule("Round", cases=[
    case("(float[2,7,5] x) => (float[2,7,5] y) { y = Round(x) }"),
    case("(float[N,5] x) => (float[N,5] y) { z = Mul(x, x) y = Round(z) }"),
    case("(float[30] x) => (float[30] y) <float[1] h = {0.5}> { i = Floor(x) z = Add(i, h) y = Round(z) }"),
    case("(double[2,3] x) => (double[2,3] y) { y = Round(x) }", refuses="float32"),
])  # fmt: skip
def round_to_sums(op: Op, node: NodeView) -> Result:
    """Round(x) = ±((|x| + 2^23) - 2^23) where 0 < |x| < 2^23, else x

    The sum is rounded half to even by the processor. Zeros keep their sign, infinities and NaN are handed on.
    """
    if op.dtype(node.x) != np.float32:
        return refuse(f"{op.dtype(node.x)}: the constant 2^23 is that of float32")
    magnitude = op.Abs(node.x)
    rounded = op.Sub(op.Add(magnitude, WHOLE), WHOLE)
    signed = op.Where(op.Less(node.x, 0.0), op.Neg(rounded), rounded)
    fractional = op.And(op.Less(magnitude, WHOLE), op.Greater(magnitude, 0.0))
    return op.Where(fractional, signed, node.x)


@rule("Sign", cases=[
    case("(float[2,3,5] x) => (float[2,3,5] y) { y = Sign(x) }"),
    case("(float[N,3] x) => (float[N,3] y) <float s = {2e-38}> { z = Mul(x, s) y = Sign(z) }"),
    case("(int64[2,3] x) => (int64[2,3] y) <int64 o = {1}> { z = Sub(x, o) y = Sign(z) }"),
    case("(int32[2,3] x) => (int32[2,3] y) <int32 o = {1}> { z = Sub(x, o) y = Sign(z) }"),
    case("(uint8[2,3] x) => (uint8[2,3] y) { y = Sign(x) }", refuses="wider"),
])  # fmt: skip
def sign_to_comparisons(op: Op, node: NodeView) -> Result:
    """Sign(x) = 1 where x > 0, -1 where x < 0, else x: zeros and NaN; of integers min(max(x, -1), 1)"""
    dtype = op.dtype(node.x)
    if dtype in (np.int32, np.int64):
        return op.Min(op.Max(node.x, -1), 1)
    if dtype.kind != "f":
        return refuse(f"{dtype} are compared in a wider type")
    one, minus_one = op.const(1, dtype), op.const(-1, dtype)
    return op.Where(op.Greater(node.x, 0.0), one, op.Where(op.Less(node.x, 0.0), minus_one, node.x))
