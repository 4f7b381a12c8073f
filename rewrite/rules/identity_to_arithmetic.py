"""An Identity that joins an input of the model to an output, and so cannot go."""

from __future__ import annotations

import numpy as np
from onnx import helper

from rewrite.rule import NodeView, Op, Result, case, refuse, rule


@rule("Identity", cases=[
    case("(int64[2,3] x) => (int64[2,3] y) { y = Identity(x) }"),
    case("(int32[N] x) => (int32[N] y) { y = Identity(x) }"),
    case("(bool[2,3] x) => (bool[2,3] y) { y = Identity(x) }"),
    case("(double[2,3] x) => (double[2,3] y) { y = Identity(x) }"),
    case("(uint8[3] x) => (uint8[3] y) { y = Identity(x) }"),
    case("(float[3] x) => (float[3] y) { y = Identity(x) }"),
    case("(float[3] x) => (float[3] y, int64[2] z) <int64[2] c = {4, 5}> { z = Identity(c) y = Neg(x) }"),
    case("(float[3] x) => (float[3] y, int32 z) <int32 c = {-4}> { z = Identity(c) y = Neg(x) }"),
    case("(float[3] x) => (float[3] y, bool[2] z) <bool[2] c = {1, 0}> { z = Identity(c) y = Neg(x) }"),
    case("(float[3] x) => (float[3] y, uint8[2] z) <uint8[2] c = {1, 200}> { z = Identity(c) y = Neg(x) }"),
    case("(float[3] x) => (float[3] y, double[2] z) <double[2] c = {0.1, 3}> { z = Identity(c) y = Neg(x) }",
         refuses="float64 constant"),
    case("(float[3] x) => (float[3] y, int64[0] z) <int64[0] c = {}> { z = Identity(c) y = Neg(x) }",
         refuses="no elements"),
    case("(uint8[N] x) => (uint8[N] y) { y = Identity(x) }", refuses="no operator"),
])  # fmt: skip
def identity_to_arithmetic(op: Op, node: NodeView) -> Result:
    """x = 1 x for numbers (signed zeros, infinities and NaN too), x and x for bools, x at 0, 1, 2, ... for all

    A constant is itself plus 0, or what it is cast from.
    """
    x, shape = node.x, op.shape(node.x)
    dtype = op.dtype(x).name
    value = op.value(x)
    if 0 in (shape or ()):
        return refuse("it has no elements")
    if value is not None:
        if dtype in ("int64", "int32"):
            return op.Add(x, op.const(np.zeros_like(value)))
        if dtype == "bool" or (value.dtype.kind in "iu" and dtype != "uint64"):
            return op.Cast(op.const(value, np.int64), to=helper.np_dtype_to_tensor_dtype(value.dtype))
        return refuse(f"a {dtype} constant is nothing but itself")
    if dtype in ("float32", "int64", "int32"):
        return op.Mul(x, op.const(np.ones(1 if shape else (), op.dtype(x))))
    if dtype == "bool":
        return op.And(x, x)
    if not shape or not isinstance(shape[0], int):
        return refuse(f"no operator gives back {dtype} of open size as it is")
    return op.Gather(x, op.const(np.arange(shape[0]), np.int64), axis=0)
