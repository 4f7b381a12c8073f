"""What a Loop carries on: ONNX's inference leaves its shape open, for a trip might change it; here it is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import onnx
from onnx import helper

from convert.errors import BadModel


def infer_carried(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Types of what Loops carry on and collect, where a trip through the body keeps the shapes, and nobody knows them.

    :param model: shapes inferred as far as ONNX does; what it knows of these tensors less exactly is taken out.
    """
    typed = {i.name: i.type for i in (*model.graph.input, *model.graph.value_info, *model.graph.output) if _shaped(i)}
    typed |= {i.name: helper.make_tensor_type_proto(i.data_type, i.dims) for i in model.graph.initializer}
    found = []
    for node in model.graph.node:
        open_ = [n for n in node.output if n and n not in typed]
        if node.op_type == "Loop" and not node.domain and open_ and all(n in typed for n in node.input[2:]):
            found += [i for i in _kept(model, node) if i.name in open_]
    names = {i.name for i in found}
    left = onnx.GraphProto(value_info=[i for i in model.graph.value_info if i.name not in names])
    del model.graph.value_info[:]
    model.graph.value_info.extend(left.value_info)
    for output in (o for o in model.graph.output if o.name in names):
        output.type.CopyFrom(next(i.type for i in found if i.name == output.name))
    return found


def _shaped(info: onnx.ValueInfoProto) -> bool:
    return bool(info.type.HasField("tensor_type") and info.type.tensor_type.HasField("shape"))


def _kept(model: onnx.ModelProto, node: onnx.NodeProto) -> Iterator[onnx.ValueInfoProto]:
    from rewrite.bodies import bodies_of  # which infers shapes

    (body,) = bodies_of(model, node)
    with suppress(BadModel):  # a shape that the body does not take, for it is another's in the first trip already
        alone = body.model(model)
        made = {i.name: i.type for i in (*alone.graph.output, *body.formal)}
        states = len(body.formal) - 2
        for k, (name, source) in enumerate(zip(node.output, body.sources[1:], strict=True)):
            type_ = made.get(source)
            if type_ is None or not type_.tensor_type.HasField("shape"):
                continue
            if k < states and (None in _dims(type_) or _dims(type_) != _dims(body.formal[k + 2].type)):
                return  # what a trip changes, another may change again: nothing is known of any of them
            if k >= states:
                type_ = helper.make_tensor_type_proto(type_.tensor_type.elem_type, [None, *_dims(type_)])
            yield helper.make_value_info(name, type_)


def _dims(kind: onnx.TypeProto) -> list[int | str | None]:
    dims = kind.tensor_type.shape.dim
    return [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in dims]
