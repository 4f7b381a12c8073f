"""Models of doubles and of 16-bit floats, run in float32."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import numpy_helper

from rewrite.protos import graphs, nodes

#: Types that float32 can stand for, as ONNX numbers them, by their numpy name.
STANDS_FOR = {
    "float64": onnx.TensorProto.DOUBLE,
    "float16": onnx.TensorProto.FLOAT16,
    "bfloat16": onnx.TensorProto.BFLOAT16,
}

#: Attributes that name a tensor's type.
_TYPES = frozenset({"to", "dtype", "output_dtype", "output_datatype", "stash_type", "softmax_precision", "precision"})


def run_in_float32(model: onnx.ModelProto, kinds: frozenset[str]) -> None:
    """Make float32 of every tensor of the given ``kinds``, in place: constants, inputs, outputs and what is between.

    Finite numbers stay finite: those beyond float32's range, masks of -1.8e308 above all, become its extremes.

    :param kinds: numpy names out of :data:`STANDS_FOR`.
    """
    if not kinds:
        return
    numbers = frozenset(STANDS_FOR[k] for k in kinds)
    for graph in graphs(model.graph):
        for info in (*graph.input, *graph.output):
            if info.type.tensor_type.elem_type in numbers:
                info.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        del graph.value_info[:]
    for tensor in _constants(model):
        if tensor.data_type in numbers:
            tensor.CopyFrom(numpy_helper.from_array(_nearest(numpy_helper.to_array(tensor)), tensor.name))
    for node in nodes(model.graph):
        for attribute in node.attribute:
            if attribute.name in _TYPES and attribute.i in numbers:
                attribute.i = onnx.TensorProto.FLOAT


def dtypes_of(model: onnx.ModelProto) -> frozenset[str]:
    """Which of :data:`STANDS_FOR` the model's inputs, outputs, constants and casts have."""
    ports = {i.type.tensor_type.elem_type for g in graphs(model.graph) for i in (*g.input, *g.output, *g.value_info)}
    held = {t.data_type for t in _constants(model)}
    cast = {a.i for n in nodes(model.graph) for a in n.attribute if a.name in _TYPES}
    return frozenset(name for name, number in STANDS_FOR.items() if number in ports | held | cast)


def reads_bits(model: onnx.ModelProto) -> bool:
    """Does the model look into the bits of its numbers? Then no other type can stand for theirs."""
    return any(node.op_type == "BitCast" for node in nodes(model.graph))


def _constants(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for graph in graphs(model.graph):
        yield from graph.initializer
    for node in nodes(model.graph):
        yield from (a.t for a in node.attribute if a.HasField("t"))


def _nearest(
    array: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    wide = array.astype(np.float64)
    largest = np.finfo(np.float32).max
    return np.where(np.isfinite(wide), np.clip(wide, -largest, largest), wide).astype(np.float32)
