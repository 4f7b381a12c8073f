"""The least sizes that a model runs with along its open dimensions: a TopK of 8 wants 8 particles.

Compiled code does not look: a header that is called with less reads and writes beside its memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper

from convert.errors import BadSamples
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import SEED, Arrays

#: What is tried; a model that wants more has said so in verification.
LARGEST = 128
#: Size of the other open dimensions.
_OTHERS = 40
_LINE = re.compile(r"^// least (\w+): (\d+)\b", re.MULTILINE)


def least_sizes(model: onnx.ModelProto) -> dict[str, int]:
    """By symbol, where it is more than 1: the least size from which on onnxruntime runs the model, the others large."""
    dims = (d.dim_param for i in model.graph.input for d in i.type.tensor_type.shape.dim)
    names = list(dict.fromkeys(filter(None, dims)))
    if not names:
        return {}
    reference = OnnxReference(model)
    found = {name: _least(model, reference, name) for name in names}
    return {name: size for name, size in found.items() if size > 1}


def _least(model: onnx.ModelProto, reference: OnnxReference, symbol: str) -> int:
    if _runs(model, reference, symbol, 1):
        return 1
    low, high = 1, 2
    while not _runs(model, reference, symbol, high):
        if high >= LARGEST:
            return 1  # nothing is known: it is not a matter of this size alone
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _runs(model, reference, symbol, middle) else (middle, high)
    return high if all(_runs(model, reference, symbol, n) for n in (high + 1, 2 * high + 3)) else 1


def _runs(model: onnx.ModelProto, reference: OnnxReference, symbol: str, size: int) -> bool:
    try:
        reference(_inputs(model, symbol, size))
    except BadSamples:
        return False
    return True


def _inputs(model: onnx.ModelProto, symbol: str, size: int) -> Arrays:
    generator = np.random.default_rng(SEED)
    arrays = {}
    for info in model.graph.input:
        kind = info.type.tensor_type
        shape = [size if d.dim_param == symbol else d.dim_value or _OTHERS for d in kind.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
        is_float = np.issubdtype(dtype, np.floating)
        arrays[info.name] = np.asarray(generator.standard_normal(shape) if is_float else np.zeros(shape), dtype)
    return arrays


def lines(least: Mapping[str, int]) -> list[str]:
    """For the header's comment. :param least: by C++ name."""
    return [f"least {symbol}: {size} (the model does not run with less)" for symbol, size in least.items()]


def read(text: str) -> dict[str, int]:
    """What a header's comment says.

    >>> read("// least P: 8 (the model does not run with less)")
    {'P': 8}
    """
    return {symbol: int(size) for symbol, size in _LINE.findall(text)}
