"""Operators by what they do with their data, whatever its layout."""

from __future__ import annotations

#: Of one tensor, each element by itself.
UNARY = {
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast", "Ceil", "Celu", "Cos", "Cosh"),
    *("Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu"),
    *("Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh"),
    *("Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu"),
}
#: Of several tensors that broadcast, each element by itself.
BROADCAST = {
    *("Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Clip", "Div", "Equal", "Greater"),
    *("GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Sum"),
    *("Where", "Xor"),
}
#: Each element by itself: as fast in one layout as in any other.
ELEMENTWISE = frozenset(UNARY | BROADCAST)
#: Those, and what moves no number at all.
INDIFFERENT = ELEMENTWISE | {"Squeeze", "Unsqueeze"}
