"""Beginnings of a model, to find the node with which a fault begins."""

from __future__ import annotations

import onnx


def truncated(model: onnx.ModelProto, length: int) -> onnx.ModelProto:
    """The first ``length`` nodes as a model; its outputs are what they make and the rest of the model still wants."""
    graph = model.graph
    nodes = graph.node[:length]
    read = {n for node in nodes for n in node.input}
    wanted = {n for node in graph.node[length:] for n in node.input} | {o.name for o in graph.output}
    known = {i.name: i for i in (*graph.value_info, *graph.output)}
    made = [o for node in nodes for o in node.output if o]
    short = onnx.ModelProto()
    short.CopyFrom(onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import))
    short.graph.name = graph.name
    short.graph.node.extend(nodes)
    short.graph.input.extend(i for i in graph.input if i.name in read)
    short.graph.output.extend(known[n] for n in made if n in wanted and n in known)
    short.graph.value_info.extend(known[n] for n in made if n not in wanted and n in known)
    short.graph.initializer.extend(i for i in graph.initializer if i.name in read)
    return short
