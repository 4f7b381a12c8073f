"""What ONNX's converter between opsets leaves wrong is put right.

Measured with onnx 1.23 against onnxruntime on either side: it raises the number, and these operators then mean
something else than before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import onnx
from onnx import helper, numpy_helper

from convert.errors import BadModel, Finding
from rewrite.origin import Origin
from rewrite.protos import graphs, nodes

_Mend = Callable[[onnx.NodeProto, onnx.NodeProto, onnx.GraphProto], Iterable[onnx.NodeProto]]


def refuse_unconvertible(model: onnx.ModelProto, version: int) -> None:
    """Refuse what the converter would change the meaning of and nothing here mends.

    :raises BadModel: every such node.
    """
    why = {
        ("Scan", 9): "up to opset 8 it takes the batch as its first axis",
        ("PRelu", 7): "up to opset 6 its slope goes along the channels, whatever the rank",
    }
    findings = [
        Finding(f"{node.op_type} of opset {version}", str(Origin.of(node)), reason)
        for node in nodes(model.graph)
        for (operator, since), reason in why.items()
        if not node.domain and node.op_type == operator and version < since
    ]
    if findings:
        raise BadModel(
            f"the model's opset {version} is too old", findings=tuple(findings), advice="export it at opset 18 or above"
        )


def mend_conversion(before: onnx.ModelProto, after: onnx.ModelProto, version: int) -> None:
    """Rewrite ``after``, which the converter made of ``before``, where it means something else. In place."""
    mends = {operator: mend for operator, since, mend in _MENDS if version < since}
    old = {name: (node, g) for g in graphs(before.graph) for node in g.node for name in node.output if name}
    for graph in [*graphs(after.graph)]:
        if not any(node.op_type in mends for node in graph.node):
            continue
        mended: list[onnx.NodeProto] = []
        for node in graph.node:
            source = next((old[name] for name in node.output if name in old), None)
            if node.domain or node.op_type not in mends or source is None:
                mended.append(node)
            else:
                mended += mends[node.op_type](node, *source)
        kept = [onnx.NodeProto.FromString(n.SerializeToString()) for n in mended]
        del graph.node[:]
        graph.node.extend(kept)


def _attribute(node: onnx.NodeProto, name: str, default: object) -> object:
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def _resize(node: onnx.NodeProto, was: onnx.NodeProto, graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Before opset 11 position i came from i / scale, cut off; onnxruntime rounds up where it makes smaller.

    The converter leaves the later defaults: half_pixel and round_prefer_floor.
    """
    scales = _attribute(was, "scales", None)
    if scales is None and len(was.input) > 1:
        scales = _constant(graph, was.input[1])
    smaller = scales is not None and bool(np.any(np.asarray(scales) < 1))
    for name, text in {
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "ceil" if smaller else "floor",
    }.items():
        node.attribute.append(helper.make_attribute(name, text))
    return [node]


def _constant(graph: onnx.GraphProto, name: str) -> object:
    """The value of an initializer or Constant; None where it is computed."""
    for tensor in graph.initializer:
        if tensor.name == name:
            return numpy_helper.to_array(tensor)
    maker = next((n for n in graph.node if name in n.output and n.op_type == "Constant"), None)
    value = None if maker is None else _attribute(maker, "value", None)
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else None


def _hardmax(node: onnx.NodeProto, was: onnx.NodeProto, _: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Before opset 13 it saw a matrix: the axes from ``axis`` on as one. (The converter mends Softmax alone.)"""
    x, y = node.input[0], node.output[0]
    return [
        helper.make_node("Shape", [x], [f"{y}/shape"]),
        helper.make_node("Flatten", [x], [f"{y}/matrix"], axis=_attribute(was, "axis", 1)),
        helper.make_node("Hardmax", [f"{y}/matrix"], [f"{y}/hardmax"], axis=1),
        helper.make_node("Reshape", [f"{y}/hardmax", f"{y}/shape"], [y], node.name),
    ]


def _group_normalization(node: onnx.NodeProto, was: onnx.NodeProto, _: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Before opset 21 there was a scale for each group, not for each channel: InstanceNormalization over the groups."""
    x, y = node.input[0], node.output[0]
    groups = numpy_helper.from_array(np.array([0, _attribute(was, "num_groups", 1), -1], np.int64))
    return [
        helper.make_node("Shape", [x], [f"{y}/shape"]),
        helper.make_node("Constant", [], [f"{y}/groups"], value=groups),
        helper.make_node("Reshape", [x, f"{y}/groups"], [f"{y}/grouped"]),
        helper.make_node(
            "InstanceNormalization",
            [f"{y}/grouped", *node.input[1:]],
            [f"{y}/normal"],
            epsilon=_attribute(was, "epsilon", 1e-5),
        ),
        helper.make_node("Reshape", [f"{y}/normal", f"{y}/shape"], [y], node.name),
    ]


#: Operator, the opset from which on it is right, and what to put in its place.
_MENDS: tuple[tuple[str, int, _Mend], ...] = (
    ("Resize", 11, _resize),
    ("Hardmax", 13, _hardmax),
    ("GroupNormalization", 21, _group_normalization),
)
