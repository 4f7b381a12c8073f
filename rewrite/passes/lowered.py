"""What operators above our opset do with types that ours does not have there, in operators that ours has."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnx.inliner
from onnx import TensorProto, helper, numpy_helper

from rewrite.protos import graphs

#: The functions' domain, until they are inlined.
_DOMAIN = "lowered"

#: Integers by ONNX's number, and their bits.
_SIGNED: dict[int, int] = {TensorProto.INT8: 8, TensorProto.INT16: 16, TensorProto.INT32: 32, TensorProto.INT64: 64}
_UNSIGNED: dict[int, int] = {
    TensorProto.UINT8: 8,
    TensorProto.UINT16: 16,
    TensorProto.UINT32: 32,
    TensorProto.UINT64: 64,
}
_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)


def lower_types(model: onnx.ModelProto, version: int, types: Mapping[str, int]) -> onnx.ModelProto:
    """The model, its Mod of floats with ``fmod=0`` and its BitShift by opset 28's wider terms expressed otherwise.

    :param version: the model's opset.
    :param types: of its tensors, as ONNX numbers them.
    """
    made: dict[str, onnx.FunctionProto] = {}
    for graph in graphs(model.graph):
        constants = {t.name: t for t in graph.initializer}
        for node in graph.node:
            if node.domain or node.op_type not in ("Mod", "BitShift"):
                continue
            function = _function_of(node, types.get(node.input[0], 0), version, constants.get(node.input[1]))
            if function is not None:
                made[function.name] = function
                node.op_type, node.domain = function.name, _DOMAIN
                del node.attribute[:]
    if not made:
        return model
    model.functions.extend(made.values())
    model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    inlined = onnx.inliner.inline_local_functions(model)
    for imported in [i for i in inlined.opset_import if i.domain == _DOMAIN]:
        inlined.opset_import.remove(imported)
    return inlined


def _function_of(
    node: onnx.NodeProto, kind: int, version: int, second: onnx.TensorProto | None
) -> onnx.FunctionProto | None:
    """The node as a function of its inputs; None where our opset says the same."""
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type == "Mod":
        floored = kind in _FLOATS and not attributes.get("fmod", 0)
        return _function(f"Mod{kind}", _floored_mod(kind), version) if floored else None
    way = attributes["direction"].decode()
    if kind in _SIGNED:
        bits = _SIGNED[kind]
        # to the left all bits leave, to the right the sign stays
        shifted = (
            _checked(bits, instead=bits) + _left(bits)
            if way == "LEFT"
            else _checked(bits, instead=bits - 1) + _right(bits)
        )
        return _function(f"{way}{kind}", f"{shifted} y = Cast <to = {kind}> (shifted)", version)
    bits = _UNSIGNED.get(kind, 0)
    if not bits or (second is not None and bool(np.all(numpy_helper.to_array(second) < bits))):
        return None
    return _function(f"{way}{kind}", _bounded(kind, bits, way), version)


def _function(name: str, body: str, version: int) -> onnx.FunctionProto:
    text = f'<domain: "{_DOMAIN}", opset_import: ["": {version}]> {name} (a, b) => (y) {{ {body} }}'
    return onnx.parser.parse_function(text)


def _floored_mod(kind: int) -> str:
    """fmod, plus b where it is not zero and has the other sign; a zero has the sign of b. Exact, as numpy has it."""
    return f"""
        single = Constant <value_float = 0.0> ()
        zero = Cast <to = {kind}> (single)
        minus = Neg (zero)
        rest = Mod <fmod = 1> (a, b)
        below = Less (b, zero)
        negative = Less (rest, zero)
        crossed = Xor (negative, below)
        added = Add (rest, b)
        floored = Where (crossed, added, rest)
        whole = Equal (rest, zero)
        signed = Where (below, minus, zero)
        y = Where (whole, signed, floored)"""


def _checked(bits: int, *, instead: int) -> str:
    """``place``: the count, or ``instead`` where it is negative or beyond the type's bits."""
    return f"""
        low = Constant <value_int = 0> ()
        width = Constant <value_int = {bits}> ()
        most = Constant <value_int = {instead}> ()
        wide = Cast <to = 7> (a)
        count = Cast <to = 7> (b)
        under = Less (count, low)
        over = GreaterOrEqual (count, width)
        outside = Or (under, over)
        place = Where (outside, most, count)"""


def _left(bits: int) -> str:
    """x 2^n modulo 2^64; 2^63 is -2^63 then, and to the left of all bits there is nothing."""
    powers = [1 << n if n < 63 else -(1 << 63) for n in range(bits)] + [0]
    return f"""
        powers = Constant <value = int64[{len(powers)}] {_listed(powers)}> ()
        power = Gather <axis = 0> (powers, place)
        shifted = Mul (wide, power)"""


def _right(bits: int) -> str:
    """x / 2^n, rounded down; of 64 bits less 63 only the sign is left."""
    powers = [1 << n for n in range(min(bits, 63))]
    divided = f"""
        powers = Constant <value = int64[{len(powers)}] {_listed(powers)}> ()
        last = Constant <value_int = {len(powers) - 1}> ()
        held = Min (place, last)
        power = Gather <axis = 0> (powers, held)
        rest = Mod (wide, power)
        even = Sub (wide, rest)
        {"divided" if bits == 64 else "shifted"} = Div (even, power)"""
    if bits < 64:
        return divided
    return f"""{divided}
        full = Constant <value_int = -1> ()
        negative = Less (wide, low)
        sign = Where (negative, full, low)
        all = Equal (place, most)
        shifted = Where (all, sign, divided)"""


def _listed(values: list[int]) -> str:
    return "{" + ", ".join(str(v) for v in values) + "}"


def _bounded(kind: int, bits: int, way: str) -> str:
    """Beyond all of its bits there is nothing; before opset 28 that was not said."""
    return f"""{_checked(bits, instead=0)}
        held = Cast <to = {kind}> (place)
        shifted = BitShift <direction = "{way}"> (a, held)
        inside = Not (outside)
        factor = Cast <to = {kind}> (inside)
        y = Mul (shifted, factor)"""
