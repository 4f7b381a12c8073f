"""SOFIE's shapes and types of tensors against ONNX's: nearly free, and it finds most silent errors."""

from __future__ import annotations

import re
from collections.abc import Mapping

import onnx

#: SOFIE's names of element types, by ONNX's.
_TYPES = {
    onnx.TensorProto.FLOAT: "FLOAT",
    onnx.TensorProto.DOUBLE: "DOUBLE",
    onnx.TensorProto.FLOAT16: "FLOAT16",
    onnx.TensorProto.BFLOAT16: "BFLOAT16",
    onnx.TensorProto.INT8: "INT8",
    onnx.TensorProto.INT16: "INT16",
    onnx.TensorProto.INT32: "INT32",
    onnx.TensorProto.INT64: "INT64",
    onnx.TensorProto.UINT8: "UINT8",
    onnx.TensorProto.UINT16: "UINT16",
    onnx.TensorProto.UINT32: "UINT32",
    onnx.TensorProto.UINT64: "UINT64",
    onnx.TensorProto.BOOL: "BOOL",
}

_DIMS = re.compile(r"SingleDim, \d+> dim_(\w+)\{([^;]*)\};")
_DIM = re.compile(r'SingleDim\{(?:"([^"]*)"|(\d+))\}')

type_name = _TYPES.get


def disagreements(
    model: onnx.ModelProto, tensors: Mapping[str, tuple[str, list[int] | None]], code: str = ""
) -> list[str]:
    """Where SOFIE's view of a tensor is not ONNX's; one sentence each.

    :param model: with shapes inferred.
    :param tensors: SOFIE's dtype and shape by name; shape None where it is dynamic.
    :param code: the header, from which the dynamic shapes of outputs are read.
    """
    dynamic = header_dims(code)
    found = []
    for info in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        if info.name not in tensors or not info.type.HasField("tensor_type"):
            continue
        kind, shape = tensors[info.name]
        expected = _TYPES.get(info.type.tensor_type.elem_type)
        # SOFIE computes bool as uint8 in places and calls it either way: one byte, 0 or 1.
        if expected is not None and kind != expected and {kind, expected} != {"BOOL", "UINT8"}:
            found.append(f"SOFIE gives {info.name!r} the type {kind.lower()}, ONNX {expected.lower()}")
        dims = _onnx_dims(info)
        given = shape if shape is not None else dynamic.get(info.name)
        if dims is not None and given is not None and not _same(given, dims):
            found.append(f"SOFIE gives {info.name!r} the shape {_show(given)}, ONNX {_show(dims)}")
    return found


def header_dims(code: str) -> dict[str, list[int | str]]:
    """Shapes of inputs and outputs as a generated header states them."""
    return {
        name: [int(number) if number else symbol for symbol, number in _DIM.findall(dims)]
        for name, dims in _DIMS.findall(code)
    }


def _onnx_dims(info: onnx.ValueInfoProto) -> list[int | str] | None:
    kind = info.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return [d.dim_value if d.HasField("dim_value") else d.dim_param for d in kind.shape.dim]


def _same(given: list[int] | list[int | str], dims: list[int | str]) -> bool:
    """Equal where both are numbers, or both plain symbols that the model's inputs declare.

    A scalar is one element to SOFIE, whatever the number of its axes.
    """
    if all(d == 1 for d in given) and all(d == 1 for d in dims):
        return len(given) == len(dims) or not dims or not given
    if len(given) != len(dims):
        return False
    return all(g == d for g, d in zip(given, dims, strict=True) if isinstance(g, int) and isinstance(d, int))


def _show(dims: list[int] | list[int | str]) -> str:
    return "[" + ",".join(str(d) for d in dims) + "]"
