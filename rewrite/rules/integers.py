"""Integers of 8 to 64 bits, in arithmetic of int64."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper

from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule

#: dtypes whose every value int64 holds.
_HELD = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "bool")
#: ONNX's number for it.
_INT64 = 7

#: The low bits of these hang on low bits alone: it is the same whether int64 carries more of them or not.
_WRAPPING = ("Add", "Sub", "Mul", "Neg", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot")
_EXACT = ("Div", "Mod", "Max", "Min", "Abs", "Sign", "Clip")
_ORDERED = ("Max", "Min", "Clip", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")
_COMPARING = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal")


@rule("Abs", "Neg", cases=[
    case("(int64[2,3] x) => (int64[2,3] y) <int64 o = {1}> { z = Sub(x, o) y = Abs(z) }"),
    case("(int64[N,3] x) => (int64[N,3] y) { y = Neg(x) }"),
    case("(float[2,3] x) => (float[2,3] y) { y = Neg(x) }", refuses="no integers"),
    case("(int8[2,3] x) => (int8[2,3] y) { y = Abs(x) }", refuses="32 or 64"),
])  # fmt: skip
def integer_sign_to_difference(op: Op, node: NodeView) -> Result:
    """Neg(x) = 0 - x, Abs(x) = max(x, 0 - x)"""
    dtype = op.dtype(node.x)
    if dtype not in (np.int32, np.int64):
        return refuse(f"{dtype} are no integers of 32 or 64 bits")
    negative = op.Sub(op.const(0, dtype), node.x)
    return negative if node.op == "Neg" else op.Max(node.x, negative)


@rule("BitwiseNot", cases=[
    case("(int64[N] x) => (int64[N] y) { y = BitwiseNot(x) }"),
    case("(int32[2,3] x) => (int32[2,3] y) <int32 o = {2}> { z = Sub(x, o) y = BitwiseNot(z) }"),
    case("(uint8[2,3] x) => (uint8[2,3] y) { y = BitwiseNot(x) }", refuses="32 or 64"),
])  # fmt: skip
def bitwise_not_to_difference(op: Op, node: NodeView) -> Result:
    """BitwiseNot(x) = -1 - x, in two's complement"""
    dtype = op.dtype(node.x)
    if dtype not in (np.int32, np.int64):
        return refuse(f"{dtype} are no integers of 32 or 64 bits")
    return op.Sub(op.const(-1, dtype), node.x)


@rule("Mod", cases=[
    case("(int64[2,3] x, int64[3] z) => (int64[2,3] y) <int64 o = {7}, int64 p = {-4}> "
         "{ v = Sub(x, o) w = Add(z, p) y = Mod(v, w) }"),
    case("(int64[2,3] x) => (int64[2,3] y) <int64 o = {1}, int64 d = {5}> { v = Sub(x, o) y = Mod(v, d) }"),
    case("(int64[2,3] x) => (int64[2,3] y) <int64[3] d = {5, -2, 3}, int64 o = {1}> { v = Sub(x, o) y = Mod(v, d) }"),
    case("(int32[N,3] x) => (int32[N,3] y) <int32 o = {1}, int32 d = {-5}> { v = Sub(x, o) y = Mod(v, d) }"),
    case("(int64[2,3] x) => (int64[2,3] y) <int64 o = {1}, int64 d = {5}> { v = Sub(x, o) y = Mod<fmod=1>(v, d) }"),
    case("(float[2,3] x, float[3] z) => (float[2,3] y) { y = Mod<fmod=1>(x, z) }", refuses="no integers"),
])  # fmt: skip
def integer_mod_to_division(op: Op, node: NodeView) -> Result:
    """Mod(a, b) = r + (b where r b < 0), r = a - (a / b) b; r itself with fmod = 1"""
    a, b = node.inputs
    dtype = op.dtype(a)
    if dtype not in (np.int64, np.int32):
        return refuse(f"{dtype} are no integers of 32 or 64 bits")
    rest = op.Sub(a, op.Mul(op.Div(a, b), b))
    if node.attr("fmod"):
        return rest
    divisor = op.value(b)
    if divisor is not None and np.all(divisor > 0):
        crossed = op.Less(rest, 0)
    elif divisor is not None and np.all(divisor < 0):
        crossed = op.Greater(rest, 0)
    else:  # r b may overflow, r times the sign of b does not
        crossed = op.Less(op.Mul(rest, op.Min(op.Max(b, -1), 1)), 0)
    return op.Where(crossed, op.Add(rest, b), rest)


@rule("BitShift", cases=[
    case('(uint8[2,3] x, uint8[3] z) => (uint8[2,3] y) { y = BitShift<direction="LEFT">(x, z) }'),
    case('(uint8[2,3] x) => (uint8[2,3] y) <uint8 z = {1}> { y = BitShift<direction="RIGHT">(x, z) }'),
    case('(uint32[2,3] x, uint32[2,1] z) => (uint32[2,3] y) { y = BitShift<direction="RIGHT">(x, z) }'),
    case('(uint64[2,3] x) => (uint64[2,3] y) <uint64[1] z = {63}> { y = BitShift<direction="LEFT">(x, z) }'),
    case('(uint64[2,3] x, uint64[3] z) => (uint64[2,3] y) <uint64 o = {1}> '
         '{ v = Sub(x, o) y = BitShift<direction="RIGHT">(v, z) }'),
    case('(uint64[2,3] x) => (uint64[2,3] y) <uint64[3] z = {0, 1, 63}, uint64 o = {1}> '
         '{ v = Sub(x, o) y = BitShift<direction="RIGHT">(v, z) }'),
])  # fmt: skip
def bit_shift_to_power(op: Op, node: NodeView) -> Result:
    """BitShift(x, n) = x 2^n to the left, x / 2^n to the right, in int64; n below the bits of x

    Where int64 reads the highest bit of an uint64 as a sign, its 63 others are shifted, and 2^(63 - n) is added.
    """
    dtype = op.dtype(node.x)
    count, wide = op.Cast(node.inputs[1], to=_INT64), op.Cast(node.x, to=_INT64)
    powers = np.array([1 << n for n in range(63)] + [-(1 << 63)], np.int64)
    power = op.Gather(op.const(powers), count, axis=0)
    if node.attr("direction") == "LEFT":
        shifted = op.Mul(wide, power)
    elif dtype == np.uint64:
        highest = op.Where(op.Less(wide, 0), op.Gather(op.const(powers[::-1]), count, axis=0), op.const(0, np.int64))
        shifted = op.Add(op.Div(op.BitwiseAnd(wide, np.full((), (1 << 63) - 1, np.int64)), power), highest)
    else:
        shifted = op.Div(wide, power)
    return op.Cast(shifted, to=helper.np_dtype_to_tensor_dtype(dtype))


@rule(*_WRAPPING, *_EXACT, *_COMPARING, cases=[
    case("(int8[2,3] x, int8[3] z) => (int8[2,3] y) <int8 h = {100}> { w = Mul(x, h) y = Add(w, z) }"),
    case("(uint8[2,3] x, uint8[2,1] z) => (uint8[2,3] y) { y = Sub(x, z) }"),
    case("(int16[2,3] x) => (int16[2,3] y) <int16 h = {300}> { y = Mul(x, h) }"),
    case("(uint32[2,3] x) => (uint32[2,3] y) <uint32 h = {2}> { y = Div(x, h) }"),
    case("(int8[2,3] x) => (int8[2,3] y) { y = Neg(x) }"),
    case("(int8[2,3] x) => (int8[2,3] y) { y = Abs(x) }"),
    case("(uint8[2,3] x) => (uint8[2,3] y) { y = Sign(x) }"),
    case("(int16[2,3] x, int16[3] z) => (int16[2,3] y) { y = BitwiseXor(x, z) }"),
    case("(uint64[2,3] x) => (uint64[2,3] y) { y = BitwiseNot(x) }"),
    case("(uint8[2,3] x, uint8[2,1] z, uint8[3] w) => (uint8[2,3] y) { y = Max(x, z, w) }"),
    case("(uint8[2,3] x) => (uint8[2,3] y) <uint8 a = {1}> { y = Clip(x, a) }"),
    case("(uint8[2,3] x, uint8[3] z) => (bool[2,3] y) { y = Less(x, z) }"),
    case("(bool[2,1] x, bool[3] z) => (bool[2,3] y) { y = Equal(x, z) }"),
    case("(uint64[2,3] x, uint64[3] z) => (uint64[2,3] y) { y = Mul(x, z) }"),
    case("(uint64[2,3] x, uint64[3] z) => (bool[2,3] y) { y = Equal(x, z) }"),
    case("(uint64[2,3] x, uint64[3] z) => (uint64[2,3] y) <uint64 o = {1}> { v = Sub(x, o) y = Max(v, z) }"),
    case("(uint64[2,3] x, uint64[3] z) => (bool[2,3] y) <uint64 o = {1}> { v = Sub(x, o) y = Less(v, z) }"),
    case("(uint64[2,3] x, uint64[3] z) => (uint64[2,3] y) { y = Div(x, z) }", refuses="int64 does not hold"),
    case("(int64[2,3] x, int64[3] z) => (int64[2,3] y) { y = Max(x, z) }", refuses="int64 already"),
    case("(float[2,3] x, float[3] z) => (float[2,3] y) { y = Add(x, z) }", refuses="no integers"),
])  # fmt: skip
def integers_to_int64(op: Op, node: NodeView) -> Result:
    """f(x, ...) = Cast(f(Cast(x), ...)) through int64; of uint64 in order: less 2^63, which keeps the order"""
    dtype = op.dtype(node.x)
    modular = dtype == np.uint64 and node.op in (*_WRAPPING, "Equal")
    ordered = dtype == np.uint64 and node.op in _ORDERED
    refused = _not_held(dtype)
    if refused is not None and not modular and not ordered:
        return refused
    lowest = op.const(-(1 << 63), np.int64)
    wide = [None if t is None else op.Cast(t, to=_INT64) for t in node.inputs]
    if ordered:
        wide = [None if t is None else op.Add(t, lowest) for t in wide]
    result = op.build(node.op, wide, node.attributes)[0]
    if node.op in _COMPARING:
        return result
    return op.Cast(op.Add(result, lowest) if ordered else result, to=helper.np_dtype_to_tensor_dtype(dtype))


@rule("ReduceMax", "ReduceMin", cases=[
    case("(int8[2,3] x) => (int8[2,1] y) <int64[1] a = {-1}> { y = ReduceMax(x, a) }"),
    case("(bool[2,3] x) => (bool[3] y) <int64[1] a = {0}> { y = ReduceMin<keepdims=0>(x, a) }"),
    case("(uint8[2,3] x) => (uint8 y) { y = ReduceMin<keepdims=0>(x) }"),
    case("(int64[2,3] x) => (int64[1,1] y) { y = ReduceMax(x) }", refuses="int64 already"),
])  # fmt: skip
def reduced_integers_to_int64(op: Op, node: NodeView) -> Result:
    """f(x; axes) = Cast(f(Cast(x); axes)) through int64"""
    dtype = op.dtype(node.x)
    refused = _not_held(dtype)
    if refused is not None:
        return refused
    result = op.build(node.op, [op.Cast(node.x, to=_INT64), *node.inputs[1:]], node.attributes)[0]
    return op.Cast(result, to=helper.np_dtype_to_tensor_dtype(dtype))


def _not_held(dtype: np.dtype[Any]) -> Refusal | None:
    """Why int64 does not stand for ``dtype``, or None where it does."""
    if dtype == np.int64:
        return refuse("it is int64 already")
    if dtype.kind not in "iub":
        return refuse(f"{dtype} are no integers")
    return None if str(dtype) in _HELD else refuse(f"int64 does not hold every {dtype}")
