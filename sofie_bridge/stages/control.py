"""Control flow around stages: ``If``, ``Loop`` and ``Scan``, whose bodies are models of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import onnx
from onnx import helper, numpy_helper

from rewrite.bodies import CONTROL, Body
from rewrite.kept import is_kept
from sofie_bridge.emit import Emitted
from sofie_bridge.stages.inner import Inner
from sofie_bridge.stages.kernel import Code

#: What becomes of each of the operators.
MEANINGS = {
    "If": "y = what one of two bodies gives, whose sizes may differ",
    "Loop": "y = what a body gives that is run while a condition holds, or so many times; it keeps shapes",
    "Scan": "y = what a body gives that is run once for each slice; it keeps shapes",
}


@dataclass(frozen=True)
class BodyCode(Inner):
    """A body as its header has it.

    :param member: its session's name. :param ranks: of outputs, by ONNX name.
    """

    body: Body
    member: str
    ranks: Mapping[str, int]

    @classmethod
    def made(cls, body: Body, alone: onnx.ModelProto, member: str, emitted: Emitted) -> BodyCode:
        """:param alone: the body as the model that was emitted."""
        made = Inner.of(emitted)
        ranks = {o.name: len(o.type.tensor_type.shape.dim) for o in alone.graph.output}
        return cls(made.code, made.names, made.weights, made.tensors, made.symbols, made.dims, body, member, ranks)


#: A body, as its header has it; or as it stands, where it computes nothing.
AnyBody: TypeAlias = "BodyCode | Body"


@dataclass(frozen=True)
class ControlStep:
    """A node whose bodies are run.

    :param bodies: in the order of their names. :param number: which of the steps it is that are not SOFIE's.
    :param trips: that a Loop makes at most, where it collects something in each.
    """

    node: onnx.NodeProto
    bodies: tuple[AnyBody, ...]
    number: int
    trips: int | None = None

    @property
    def codes(self) -> list[BodyCode]:
        """The bodies that compute something."""
        return [b for b in self.bodies if isinstance(b, BodyCode)]

    @property
    def attributes(self) -> dict[str, Any]:
        return {a.name: helper.get_attribute_value(a) for a in self.node.attribute if not a.HasField("g")}


def graph_of(body: AnyBody) -> Body:
    return body.body if isinstance(body, BodyCode) else body


def is_control(node: onnx.NodeProto) -> bool:
    """Is it run around its bodies?"""
    return is_kept(node) and node.op_type in CONTROL and not node.domain


def refuses(node: onnx.NodeProto, inputs: Sequence[Any], outputs: Sequence[Any]) -> str:
    """Why a node of control flow is not taken; "" where it is, if its bodies are.

    :param inputs: as a kernel is given them. :param outputs: None for those left out.
    """
    if not all(node.output):
        return "it leaves out an output in front of others"
    if node.op_type == "Loop":
        carried = len(node.input) - 2
        counted = inputs[0] is not None and inputs[0].value is not None
        said = len(outputs) > carried and isinstance(outputs[carried].shape[0], int)
        if len(outputs) > carried and not counted and not said:
            return "it collects a slice a trip, and how many trips there may be is not known before it runs"
    return ""


def most_trips(model: onnx.ModelProto, node: onnx.NodeProto) -> int | None:
    """The most that a Loop goes round, where it collects slices: as a constant has it, or as the model says."""
    states = len(node.input) - 2
    if node.op_type != "Loop" or len(node.output) <= states:
        return None
    for tensor in (i for i in model.graph.initializer if i.name == node.input[0]):
        return max(int(numpy_helper.to_array(tensor).item()), 0)
    infos = {i.name: i for i in (*model.graph.value_info, *model.graph.output)}
    return int(infos[node.output[states]].type.tensor_type.shape.dim[0].dim_value)


def helpers(steps: Sequence[Any]) -> list[Code]:
    """The C++ that all control flow uses."""
    if not any(isinstance(s, ControlStep) for s in steps):
        return []
    path = Path(__file__).with_suffix(".hpp")
    return [Code("sofie_kernels", text=path.read_text(encoding="utf-8"), place=str(path))]
