"""FloorMod and FloorDiv of whole numbers: tf2onnx rounds towards zero, which is another number below it."""

from __future__ import annotations

from converters.tf_builder import Builder, TfNode
from converters.translations import tensorflow


@tensorflow("FloorMod", "FloorDiv")
def floor(g: Builder, node: TfNode) -> str:
    """x mod y with the sign of y; floor(x / y) = (x - x mod y) / y"""
    x, y = node.inputs
    if node.dtype(x).kind in "iu":
        rest = g.Mod(x, y)  # ONNX's, of whole numbers, has the divisor's sign
        return str(rest if node.operator == "FloorMod" else g.Div(g.Sub(x, rest), y))
    whole = g.Floor(g.Div(x, y))
    return str(whole if node.operator == "FloorDiv" else g.Sub(x, g.Mul(whole, y)))
