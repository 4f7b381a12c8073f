"""An operator whose ONNX schema has a function body is expressed by it."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import helper, numpy_helper

from rewrite.graph import OPSET, Tensor, dtype_of, type_proto
from rewrite.rule import NodeView, Op, Refusal, Result, refuse


def expand(op: Op, node: NodeView) -> Result:
    """f(x) = the function body of f in its ONNX schema.

    :returns: one tensor per output, or why there is none.
    """
    schema = _schema(node)
    function = _body(node, schema) if schema is not None else refuse("")
    if isinstance(function, Refusal):
        return function
    tensors: dict[str, Tensor | None] = {"": None}
    tensors |= {name: node.input(i) for i, name in enumerate(function.input)}
    given = {a.name: helper.get_attribute_value(a) for a in function.attribute_proto}
    given |= node.attributes
    for inner in function.node:
        if any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in inner.attribute):
            return refuse(f"the function body of {node.op} has control flow")
        strange = next((name for name in inner.input if name not in tensors), "")
        if strange:
            return refuse(f"the function body of {node.op} reads {strange!r}, which is none of its own")
        inputs = [tensors.get(name) for name in inner.input]
        attributes = _attributes(op, inner, given)
        if inner.op_type == "Identity" or (inner.op_type == "Cast" and _has_dtype(inputs[0], attributes["to"])):
            made = inputs  # it would stand between nodes that a target merges, and be taken out after that was judged
        else:
            try:
                made = op.build(inner.op_type, inputs, attributes, outputs=len(inner.output))
            except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
                return refuse(f"the function body of {node.op} does not fit these inputs: {error}")
        tensors |= {name: tensor for name, tensor in zip(inner.output, made, strict=True) if name}
    return [tensors.get(name) if node.wants(i) else None for i, name in enumerate(function.output[: len(node.outputs)])]


def _schema(node: NodeView) -> Any:
    """The operator's schema, of other domains than ONNX's own the newest; None where there is none."""
    if not node.domain:
        return onnx.defs.get_schema(node.op, OPSET, "") if onnx.defs.has(node.op, OPSET, "") else None
    return onnx.defs.get_schema(node.op, node.domain) if onnx.defs.has(node.op, node.domain) else None


def _body(node: NodeView, schema: Any) -> onnx.FunctionProto | Refusal:
    versions = [v for v in schema.function_opset_versions if v <= OPSET]
    contextual = [v for v in schema.context_dependent_function_opset_versions if v <= OPSET]
    if versions:
        text = schema.get_function_with_opset_version(max(versions))
    elif contextual:
        types = [type_proto(t).SerializeToString() if t is not None else b"" for t in node.inputs]
        text = schema.get_context_dependent_function_with_opset_version(
            max(contextual), node.proto().SerializeToString(), types
        )
    else:
        return refuse("")
    function = onnx.FunctionProto()
    function.ParseFromString(text)
    return function


def _attributes(op: Op, inner: onnx.NodeProto, given: dict[str, Any]) -> dict[str, Any]:
    """Attributes of a node inside the body, those that refer to the function's own put in; absent ones left out."""
    attrs: dict[str, Any] = {}
    for attribute in inner.attribute:
        if not attribute.ref_attr_name:
            held = helper.get_attribute_value(attribute)
            attrs[attribute.name] = op.const(numpy_helper.to_array(held)) if _is_tensor(attribute) else held
        elif attribute.ref_attr_name in given:
            attrs[attribute.name] = given[attribute.ref_attr_name]
    return attrs


def _has_dtype(tensor: Tensor | None, number: int) -> bool:
    """Is the tensor of the dtype that ONNX gives this number?"""
    return tensor is not None and dtype_of(tensor) == helper.tensor_dtype_to_np_dtype(number)


def _is_tensor(attribute: onnx.AttributeProto) -> bool:
    return bool(attribute.type == onnx.AttributeProto.TENSOR)
