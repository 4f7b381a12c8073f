"""Models of opsets above ours: newer operators become the functions that define them, the rest is relabelled."""

from __future__ import annotations

from typing import Any

import onnx
import onnx.inliner
from onnx import helper

from convert.errors import BadModel, Finding
from rewrite.graph import OPSET
from rewrite.origin import Origin
from rewrite.passes.lowered import lower_types
from rewrite.protos import graphs, nodes


def lower_opset(model: onnx.ModelProto, version: int) -> onnx.ModelProto:
    """The model at opset :data:`OPSET`, each operator meaning what it meant.

    An operator that has changed since is kept where the node uses nothing of what is new; else it is expressed in
    others, or expanded by the function body in its schema; else it is refused.

    :raises BadModel: every node that has no equal.
    """
    if any(_since(n.op_type, version) > OPSET for n in nodes(model.graph) if n.op_type in ("Mod", "BitShift")):
        model = lower_types(model, version, _types(model))
    newer = _newer(model, version)
    if newer:
        functions = sorted({n.op_type for n, _ in newer if _has_function(n.op_type, version)})
        if functions:
            for node, _ in newer:
                _write_defaults(node, version)
            names = [("", name) for name in functions]
            try:
                model = onnx.inliner.inline_selected_functions(_typed(model), names, inline_schema_functions=True)
            except RuntimeError as error:
                raise BadModel(f"{', '.join(functions)} could not be expanded", why=str(error)) from error
            for graph in graphs(model.graph):
                for unnamed in [i for i in graph.value_info if not i.name]:
                    graph.value_info.remove(unnamed)
            newer = _newer(model, version)
    if newer:
        raise BadModel(
            f"the model needs opset {version}",
            findings=tuple(Finding(f"{n.op_type} of opset {version}", str(Origin.of(n)), why) for n, why in newer),
            advice=f"export it at {OPSET}",
        )
    return model


def _newer(model: onnx.ModelProto, version: int) -> list[tuple[onnx.NodeProto, str]]:
    """The nodes that mean nothing, or something else, at :data:`OPSET`, each with why. Attributes that are new but say
    what is the default are taken away."""
    changed = [n for n in nodes(model.graph) if not n.domain and _since(n.op_type, version) > OPSET]
    if not changed:
        return []
    types = {name: _typestr(kind) for name, kind in _types(model).items()}
    found = ((node, _unfit(node, types, version)) for node in changed)
    return [(node, why) for node, why in found if why]


def _unfit(node: onnx.NodeProto, types: dict[str, str], version: int) -> str:
    if not onnx.defs.has(node.op_type, OPSET, ""):
        return f"it does not exist at opset {OPSET}"
    new = onnx.defs.get_schema(node.op_type, version, "")
    old = onnx.defs.get_schema(node.op_type, OPSET, "")
    for attribute in [a for a in node.attribute if a.name not in old.attributes]:
        default = new.attributes[attribute.name].default_value
        if helper.get_attribute_value(attribute) != helper.get_attribute_value(default):
            return f"opset {OPSET} does not have its attribute {attribute.name!r}"
        node.attribute.remove(attribute)
    for position, name in enumerate(node.input):
        formal = old.inputs[min(position, len(old.inputs) - 1)]
        if types.get(name) and types[name] not in formal.types:
            return f"opset {OPSET} does not take {types[name]} there"
    return ""


def _since(operator: str, version: int) -> int:
    return onnx.defs.get_schema(operator, version, "").since_version if onnx.defs.has(operator, version, "") else 0


def _has_function(operator: str, version: int) -> bool:
    schema: Any = onnx.defs.get_schema(operator, version, "")  # onnx's stubs lack these
    return bool(schema.has_function or schema.has_context_dependent_function)


def _write_defaults(node: onnx.NodeProto, version: int) -> None:
    """The inliner leaves an attribute of the function that the node does not give without a value."""
    given = {a.name for a in node.attribute}
    for name, attribute in onnx.defs.get_schema(node.op_type, version, "").attributes.items():
        if name not in given and attribute.default_value.type != onnx.AttributeProto.UNDEFINED:
            node.attribute.append(attribute.default_value)


def _types(model: onnx.ModelProto) -> dict[str, int]:
    """The type of every tensor that has a known one, as ONNX numbers it."""
    types: dict[str, int] = {}
    for graph in graphs(onnx.shape_inference.infer_shapes(model).graph):
        infos = (*graph.input, *graph.value_info, *graph.output)
        types |= {i.name: i.type.tensor_type.elem_type for i in infos if i.type.HasField("tensor_type")}
        types |= {t.name: t.data_type for t in graph.initializer}
    return types


def _typed(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the type of every tensor written out.

    The inliner asks for that of each input of a node whose function depends on them: initializers have none to it, and
    nor has an input that is left out, whose name is empty.
    """
    model = onnx.shape_inference.infer_shapes(model)
    for graph in graphs(model.graph):
        known = {i.name for i in (*graph.input, *graph.value_info)}
        for t in graph.initializer:
            if t.name not in known:
                graph.value_info.append(helper.make_tensor_value_info(t.name, t.data_type, t.dims))
        if any("" in node.input for node in graph.node):
            graph.value_info.append(helper.make_tensor_value_info("", onnx.TensorProto.FLOAT, None))
    return model


def _typestr(kind: int) -> str:
    return f"tensor({onnx.TensorProto.DataType.Name(kind).lower()})" if kind else ""
