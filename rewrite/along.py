"""What selects along one axis leaves the others as they are: ONNX's inference gives up all of them."""

from __future__ import annotations

import onnx
from onnx import helper

#: Operators, by the number of outputs that have the shape of the first input but for the axis; the axis where it is
#: not given, None for one that flattens then.
_ALONG = {"TopK": (2, -1), "Compress": (1, None), "Unique": (1, None)}


def infer_along(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Types of what is selected along an axis whose other sizes nobody knows yet, though they are the input's.

    :param model: shapes inferred as far as ONNX does; what it knows of these tensors less exactly is taken out.
    """
    infos = {i.name: i for i in (*model.graph.input, *model.graph.value_info, *model.graph.output)}
    found = []
    for node in model.graph.node:
        count, default = _ALONG.get(node.op_type, (0, None)) if not node.domain else (0, None)
        axis = next((helper.get_attribute_value(a) for a in node.attribute if a.name == "axis"), default)
        given = infos.get(node.input[0]) if count else None
        if axis is None or given is None or not given.type.tensor_type.HasField("shape"):
            continue
        for name in (n for n in node.output[:count] if n in infos):
            sharper = _sharper(infos[name], given, int(axis))
            if sharper is not None:
                found.append(sharper)
    names = {i.name for i in found} - {o.name for o in model.graph.output}
    left = onnx.GraphProto(value_info=[i for i in model.graph.value_info if i.name not in names])
    del model.graph.value_info[:]
    model.graph.value_info.extend(left.value_info)
    return [i for i in found if i.name in names]


def _sharper(info: onnx.ValueInfoProto, like: onnx.ValueInfoProto, axis: int) -> onnx.ValueInfoProto | None:
    """The same with the other axes of ``like``; None where that says nothing new."""
    made = onnx.ValueInfoProto()
    made.CopyFrom(info)
    dims, known = made.type.tensor_type.shape.dim, like.type.tensor_type.shape.dim
    if len(dims) != len(known):
        return None
    for k, (dim, other) in enumerate(zip(dims, known, strict=True)):
        is_known = other.HasField("dim_value") or other.dim_param
        if k != axis % len(known) and not dim.HasField("dim_value") and is_known:
            dim.CopyFrom(other)
    return made if made.SerializeToString() != info.SerializeToString() else None
