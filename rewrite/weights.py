"""Large weights are set aside while a model is copied, serialised and checked: there a weight is its type alone."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import TypeVar

import onnx
from onnx import helper, numpy_helper

Message = TypeVar("Message", onnx.ModelProto, onnx.GraphProto)

#: Elements from which on a weight is large: shape inference looks into smaller ones.
LARGE = 1 << 10


def set_aside(model: onnx.ModelProto, stay: Iterable[int] = ()) -> tuple[onnx.ModelProto, dict[str, onnx.TensorProto]]:
    """A copy of the model whose large initializers are inputs; and these, which stay ``model``'s own, by name.

    :param stay: ONNX's numbers of types of which none is set aside.
    """
    stay, outputs = frozenset(stay), {o.name for o in model.graph.output}
    aside = {
        t.name: t
        for t in model.graph.initializer
        if prod(t.dims) >= LARGE and t.data_type not in stay and t.name not in outputs
    }
    light = onnx.ModelProto()
    _copy(model, light, leave_out="graph")
    _copy(model.graph, light.graph, leave_out="initializer")
    light.graph.initializer.extend(t for t in model.graph.initializer if t.name not in aside)
    listed = {i.name for i in model.graph.input}
    light.graph.input.extend(
        helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in aside.values() if t.name not in listed
    )
    return light, aside


def put_back(model: onnx.ModelProto, weights: Iterable[tuple[str, onnx.TensorProto]]) -> None:
    """Make initializers of the inputs that ``weights`` are named after, in place. They are taken one at a time."""
    names = set()
    for name, weight in weights:
        names.add(name)
        model.graph.initializer.add().CopyFrom(weight)
        model.graph.initializer[-1].name = name
        settle_encoding(model.graph.initializer[-1])
    kept = onnx.GraphProto(input=[i for i in model.graph.input if i.name not in names])
    del model.graph.input[:]
    model.graph.input.extend(kept.input)


def settle_encoding(tensor: onnx.TensorProto) -> None:
    """Write the values as raw bytes, as every probe has them: a target may read one of ONNX's two encodings only."""
    if not tensor.HasField("raw_data") and tensor.data_location != onnx.TensorProto.EXTERNAL:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))


def _copy(source: Message, copy: Message, *, leave_out: str) -> None:
    """Every field but one, without a copy of that one in between."""
    for field, held in source.ListFields():
        if field.name == leave_out:
            continue
        if field.message_type is None and not hasattr(held, "extend"):
            setattr(copy, field.name, held)
        elif hasattr(held, "extend"):
            getattr(copy, field.name).extend(held)
        else:
            getattr(copy, field.name).CopyFrom(held)
