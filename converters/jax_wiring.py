"""The user's names in an exported model, and no inputs that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from convert.errors import ExportFailed

if TYPE_CHECKING:
    import onnx


def wire(model: onnx.ModelProto, names: Sequence[str], outputs: Sequence[str]) -> None:
    """Name inputs and outputs, in place. What is handed through unchanged gets a node of its own.

    :raises ExportFailed: not as many as the model has.
    """
    graph = model.graph
    inputs, made = [v.name for v in graph.input], [v.name for v in graph.output]
    if (len(inputs), len(made)) != (len(names), len(outputs)):
        what = f"the exporter wrote {len(inputs)} inputs and {len(made)} outputs, not {len(names)} and {len(outputs)}"
        raise ExportFailed(what)
    weights = {tensor.name for tensor in graph.initializer}
    direct = {name for name in made if name in inputs or name in weights or made.count(name) > 1}
    renamed = dict(zip(inputs, names, strict=True))
    renamed |= {old: new for old, new in zip(made, outputs, strict=True) if old not in direct}
    for body in _bodies(graph):
        del body.value_info[:]  # of these none is written over, as those of the graph are
    taken = {*names, *outputs}
    inner = {*weights, *(name for node in _nodes(graph) for name in node.output)} - renamed.keys()
    renamed |= {name: f"{name}_inner" for name in inner & taken}
    _rename(graph, renamed)
    for value, old, new in zip(graph.output, made, outputs, strict=True):
        value.name = new
        if old in direct:
            graph.node.add(op_type="Identity", input=[renamed.get(old, old)], output=[new], name=f"{new}_identity")
    read = {name for node in _nodes(graph) for name in node.input}
    for value in [v for v in graph.input if v.name not in read]:
        graph.input.remove(value)


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = names.get(value.name, value.name)
    for value in (v for body in _bodies(graph) for v in (*body.input, *body.output, *body.initializer)):
        value.name = names.get(value.name, value.name)
    for node in _nodes(graph):
        node.input[:] = [names.get(n, n) for n in node.input]
        node.output[:] = [names.get(n, n) for n in node.output]


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Those in the bodies of others too."""
    yield from graph.node
    for body in _bodies(graph):
        yield from body.node


def _bodies(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    for attribute in (a for node in graph.node for a in node.attribute if a.HasField("g")):
        yield attribute.g
        yield from _bodies(attribute.g)
