"""Attributes of a node as members of a C++ struct."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sofie_bridge.names import distinct
from sofie_bridge.stages.kernel import CPP_TYPES


def members(attributes: Mapping[str, Any]) -> list[str]:
    """Declarations with initializers: ``float beta = 1.5f;``."""
    names = distinct(attributes)
    return [f"{_type(value)} {names[name]} = {_written(value)};" for name, value in attributes.items()]


def _type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "std::int64_t"
        case float():
            return "float"
        case str():
            return "std::string_view"
        case np.ndarray():
            return f"std::array<{CPP_TYPES[str(value.dtype)]}, {value.size}>"
    kinds = {_type(v) for v in value}
    # an empty list says nothing of its kind; ONNX's lists are of sizes and axes nearly always
    kind = "std::int64_t" if not kinds else "float" if kinds == {"std::int64_t", "float"} else kinds.pop()
    return f"std::array<{kind}, {len(value)}>"


def _written(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if value != -(2**63) else "(-9223372036854775807 - 1)"
        case float():
            return number(np.float32(value))
        case str():
            return json.dumps(value)
        case np.ndarray():
            return "{" + ", ".join(number(v) for v in value.ravel()) + "}"
    kind = float if any(isinstance(v, float) for v in value) else lambda v: v
    return "{" + ", ".join(_written(kind(v)) for v in value) + "}"


def number(value: Any) -> str:
    """A NumPy number as C++, every bit of it."""
    if value.dtype.kind == "b":
        return str(int(value))
    if value.dtype.kind in "iu":
        return str(int(value)) + ("u" if value.dtype.kind == "u" else "")
    kind = "float" if value.dtype.itemsize == 4 else "double"
    if math.isnan(value):
        return f"std::numeric_limits<{kind}>::quiet_NaN()"
    if math.isinf(value):
        return f"{'-' if value < 0 else ''}std::numeric_limits<{kind}>::infinity()"
    text = str(value)  # as short as it can be and still give the same bits
    return (text if any(c in text for c in ".e") else text + ".0") + ("f" if kind == "float" else "")
