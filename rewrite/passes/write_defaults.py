"""Attributes that a node leaves to their defaults are written out."""

from __future__ import annotations

from typing import Any

import onnx

from rewrite.graph import OPSET, Graph, Node, shape_of

_SPATIAL = {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"}


#: Attributes that ONNX added to released versions of Attention; onnxruntime does not know them. -1 is their default.
_UNKNOWN_TO_ONNXRUNTIME = {"left_window_size", "right_window_size"}


def write_defaults(graph: Graph) -> None:
    """Write out what the schema says of absent attributes, and what only its prose says of strides and pads.

    A reader that fills in defaults of its own (Conv without ``pads`` taken for ``pads=1``) cannot err then.
    """
    for node in graph.nodes:
        write_default_attributes(node)


def write_default_attributes(node: Node) -> None:
    """:func:`write_defaults` for one node."""
    if node.domain or not onnx.defs.has(node.op, OPSET, ""):
        return
    for name, attribute in onnx.defs.get_schema(node.op, OPSET, "").attributes.items():
        defaulted = attribute.default_value.type != onnx.AttributeProto.UNDEFINED
        if defaulted and name not in node.attrs and name not in _UNKNOWN_TO_ONNXRUNTIME:
            node.attrs[name] = _python(onnx.helper.get_attribute_value(attribute.default_value))
    if node.op in _SPATIAL:
        _write_spatial(node)
    if node.op == "Transpose" and "perm" not in node.attrs and (shape := shape_of(node.inputs[0])) is not None:
        node.attrs["perm"] = list(range(len(shape)))[::-1]
    if node.op == "Scan":
        _count_axes_from_the_front(node)


def _write_spatial(node: Node) -> None:
    weight = shape_of(node.inputs[1]) if node.op in ("Conv", "ConvTranspose") else None
    if weight is not None and "kernel_shape" not in node.attrs:
        node.attrs["kernel_shape"] = list(weight[2:])
    if "kernel_shape" not in node.attrs:
        return
    axes = len(node.attrs["kernel_shape"])
    node.attrs.setdefault("strides", [1] * axes)
    node.attrs.setdefault("dilations", [1] * axes)
    if node.attrs.get("auto_pad", "NOTSET") == "NOTSET":
        node.attrs.setdefault("pads", [0] * (2 * axes))
    if node.op == "ConvTranspose":
        node.attrs.setdefault("output_padding", [0] * axes)


def _count_axes_from_the_front(node: Node) -> None:
    states = len(node.inputs) - node.attrs["num_scan_inputs"]
    for name, tensors in (("scan_input_axes", node.inputs[states:]), ("scan_output_axes", node.outputs[states:])):
        shapes = [shape_of(t) for t in tensors]
        if name in node.attrs and None not in shapes:
            node.attrs[name] = [a % len(s) for a, s in zip(node.attrs[name], shapes, strict=True) if s is not None]


def _python(raw: Any) -> Any:
    if isinstance(raw, bytes):
        return raw.decode()
    return [r.decode() if isinstance(r, bytes) else r for r in raw] if isinstance(raw, list) else raw
