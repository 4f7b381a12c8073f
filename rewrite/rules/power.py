"""Pow of a base and an exponent of two dtypes."""

from __future__ import annotations

import numpy as np
from onnx import helper

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule

#: float32 holds the integers up to here.
EXACT = 1 << 24
#: ONNX's number for int64.
_INT64 = 7


@rule("Pow", cases=[
    case("(float[2,3] x) => (float[2,3] y) <int64[3] n = {0, 2, -3}> { y = Pow(x, n) }"),
    case("(float[2,3] x, int32[3] n) => (float[2,3] y) { y = Pow(x, n) }"),
    case("(float[N,3] x) => (float[N,3] y) <int8 n = {3}> { y = Pow(x, n) }"),
    case("(float[2,3] x, int64[3] n) => (float[2,3] y) { y = Pow(x, n) }"),
    case("(float[5] r) => (float[5] y) <float o = {-1}, int64[5] m = {16777217, 16777218, -16777219, 3, -7}> "
         "{ z = Mul(r, r) x = Min(o, z) k = Cast<to=7>(x) l = Sub(k, k) n = Add(m, l) y = Pow(x, n) }", atol=1e-3),
    case("(float[2,3] x, uint64[3] n) => (float[2,3] y) { y = Pow(x, n) }"),
    case("(int32[2,3] x) => (int32[2,3] y) <int64 n = {3}> { y = Pow(x, n) }"),
    case("(int64[2,3] x, int32[3] n) => (int64[2,3] y) { y = Pow(x, n) }"),
    case("(int64[2,3] x) => (int64[2,3] y) <float n = {2.0}> { y = Pow(x, n) }"),
    case("(int64[2,3] x) => (int64[2,3] y) <float n = {0.5}> { y = Pow(x, n) }", refuses="fractions"),
    case("(int64[2,3] x, float[3] n) => (int64[2,3] y) { y = Pow(x, n) }", refuses="fractions"),
    case("(float[2,3] x, float[3] n) => (float[2,3] y) { y = Pow(x, n) }", refuses="one dtype"),
])  # fmt: skip
def pow_to_one_dtype(op: Op, node: NodeView) -> Result:
    """Pow(x, n) = Pow(x, Cast(n)), the exponent in the dtype of the base"""
    base, exponent = node.inputs
    to, given = op.dtype(base), op.dtype(exponent)
    if to == given:
        return refuse("base and exponent are of one dtype")
    held = op.value(exponent)
    if to.kind == "f" and given.kind in "iu":
        if (held is None and given.itemsize > 2) or (held is not None and np.any(np.abs(held.astype(float)) > EXACT)):
            return _with_sign(op, base, exponent)
    elif to.kind in "iu" and given.kind == "f":
        if held is None or np.any(held != np.rint(held)) or np.any(np.abs(held) > EXACT):
            return refuse("an integer to the power of fractions takes more digits than float32 has")
    elif not (to.kind in "iu" and (held is not None or given.itemsize <= to.itemsize)):
        return refuse(f"{to} does not hold every {given}")
    return op.Pow(base, op.Cast(exponent, to=helper.np_dtype_to_tensor_dtype(to)))


def _with_sign(op: Op, base: Tensor, exponent: Tensor) -> Tensor:
    """Pow(x, Cast(n)), but less than 0 where x is, and n is odd and so large that Cast makes it even."""
    to = int(helper.np_dtype_to_tensor_dtype(op.dtype(base)))
    rounded = op.Cast(exponent, to=to)
    whole = exponent if op.dtype(exponent) in (np.int32, np.int64) else op.Cast(exponent, to=_INT64)
    odd = op.Abs(op.Cast(op.Sub(whole, op.Mul(op.Div(whole, 2), 2)), to=to))
    flipping = op.Where(op.Less(op.Abs(rounded), EXACT), op.const(0, op.dtype(base)), odd)
    power = op.Pow(base, rounded)
    return op.Where(op.Less(op.Mul(base, flipping), 0.0), op.Neg(power), power)
