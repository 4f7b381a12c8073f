"""Bodies of control flow that are left to the library: each a model of its own, rewritten as the model around it is.

Source: https://onnx.ai/onnx/operators/onnx__If.html, https://onnx.ai/onnx/operators/onnx__Loop.html,
https://onnx.ai/onnx/operators/onnx__Scan.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import onnx
from onnx import helper

from rewrite.kept import is_kept
from rewrite.passes.infer_shapes import infer_shapes
from rewrite.protos import graphs

#: The operators whose bodies these are.
CONTROL = frozenset({"If", "Loop", "Scan"})


class _HasModel(Protocol):
    @property
    def model(self) -> onnx.ModelProto: ...


_T = TypeVar("_T", bound=_HasModel)


@dataclass(frozen=True)
class Body:
    """A body of a node.

    :param attribute: its name: "then_branch", "else_branch", "body".
    :param graph: as it stands in the node. :param formal: types of its own inputs, as the node gives them.
    """

    attribute: str
    graph: onnx.GraphProto
    formal: tuple[onnx.ValueInfoProto, ...]

    @property
    def sources(self) -> list[str]:
        """The tensor that each output is: seen through Identity, which is there because ONNX wants a node."""
        back = {n.output[0]: n.input[0] for n in self.graph.node if n.op_type == "Identity" and not n.domain}
        found = [o.name for o in self.graph.output]
        while any(n in back for n in found):
            found = [back.get(n, n) for n in found]
        return found

    @property
    def constants(self) -> dict[str, onnx.TensorProto]:
        """Its own."""
        held = (n for n in self.graph.node if n.op_type == "Constant" and not n.domain)
        values = ((n.output[0], {a.name: a for a in n.attribute}) for n in held)
        return {n: a["value"].t for n, a in values if "value" in a} | {i.name: i for i in self.graph.initializer}

    @property
    def made(self) -> list[str]:
        """Outputs that its nodes compute, each once; others are constants, or what it is given."""
        computed = {o for n in self.graph.node for o in n.output if o} - self.constants.keys()
        return [n for n in dict.fromkeys(self.sources) if n in computed]

    def model(self, whole: onnx.ModelProto) -> onnx.ModelProto:
        """The body as a model: what it reads from around it is an input, or a constant where it is one there.

        Inputs that it does not read are left out, and outputs that it does not make.
        """
        graph = onnx.GraphProto(node=_behind(self.graph.node, self.made))
        known = {i.name: i for i in (*whole.graph.value_info, *whole.graph.output, *whole.graph.input)}
        known |= {i.name: i for i in self.formal}
        read = dict.fromkeys(reads_inside(graph))
        alone = onnx.ModelProto(ir_version=whole.ir_version, opset_import=whole.opset_import)
        alone.graph.name = "body"
        alone.graph.node.extend(graph.node)
        alone.graph.initializer.extend(i for i in self.graph.initializer if i.name in read)
        own = {i.name for i in self.graph.initializer}
        constants = {i.name: i for i in whole.graph.initializer}
        alone.graph.initializer.extend(constants[n] for n in read if n in constants and n not in own)
        alone.graph.input.extend(known[n] for n in read if n in known and n not in constants and n not in own)
        types = dict(zip(self.sources, self.graph.output, strict=True))
        alone.graph.output.extend(helper.make_value_info(n, types[n].type) for n in self.made)
        return infer_shapes(alone)


def _behind(nodes: Sequence[onnx.NodeProto], outputs: Sequence[str]) -> list[onnx.NodeProto]:
    """The nodes on which these outputs depend."""
    wanted = set(outputs)
    found = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            found.append(node)
            wanted.update(n for n in node.input if n)
            wanted.update(n for a in node.attribute if a.HasField("g") for n in reads_inside(a.g))
    return found[::-1]


def bodies_of(whole: onnx.ModelProto, node: onnx.NodeProto) -> list[Body]:
    """The bodies of a node of ``whole``, whose shapes are inferred."""
    infos = {i.name: i.type for i in (*whole.graph.value_info, *whole.graph.output, *whole.graph.input)}
    infos |= {i.name: helper.make_tensor_type_proto(i.data_type, i.dims) for i in whole.graph.initializer}
    found = sorted((a for a in node.attribute if a.HasField("g")), key=lambda a: a.name)
    return [Body(a.name, a.g, tuple(_formal(node, a.g, infos))) for a in found]


def _formal(
    node: onnx.NodeProto, graph: onnx.GraphProto, infos: Mapping[str, onnx.TypeProto]
) -> Iterator[onnx.ValueInfoProto]:
    names = [i.name for i in graph.input]
    if node.op_type == "Loop":
        yield helper.make_tensor_value_info(names[0], onnx.TensorProto.INT64, [])
        yield helper.make_tensor_value_info(names[1], onnx.TensorProto.BOOL, [])
        yield from (helper.make_value_info(n, infos[i]) for n, i in zip(names[2:], node.input[2:], strict=True))
    if node.op_type == "Scan":
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute if not a.HasField("g")}
        states = len(node.input) - given["num_scan_inputs"]
        axes = given.get("scan_input_axes") or [0] * given["num_scan_inputs"]
        yield from (helper.make_value_info(n, infos[i]) for n, i in zip(names, node.input[:states], strict=False))
        for name, source, axis in zip(names[states:], node.input[states:], axes, strict=True):
            slice_ = onnx.TypeProto()
            slice_.CopyFrom(infos[source])
            dims = slice_.tensor_type.shape.dim
            del dims[axis + len(dims) if axis < 0 else axis]
            yield helper.make_value_info(name, slice_)


def reads_inside(graph: onnx.GraphProto) -> list[str]:
    """Tensors that the nodes read, those inside their own bodies included, and that they do not make."""
    inner = list(graphs(graph))
    own = {o for g in inner for n in g.node for o in n.output}
    own |= {i.name for g in inner[1:] for i in (*g.input, *g.initializer)}
    found = [n for g in inner for node in g.node for n in node.input]
    found += [o.name for g in inner for o in g.output]
    return [n for n in dict.fromkeys(found) if n and n not in own]


def settle_bodies(model: onnx.ModelProto, rewritten: Callable[[onnx.ModelProto], _T]) -> list[_T]:
    """Put bodies that are rewritten in the place of those of nodes that are left to the library.

    :param rewritten: what becomes of the model of a body; one for each in the result.
    """
    found: list[_T] = []
    for node in model.graph.node:
        if not is_kept(node) or node.op_type not in CONTROL:
            continue
        for body in bodies_of(model, node):
            if body.made:
                found.append(rewritten(body.model(model)))
                _put(body, found[-1].model, f"{next(o for o in node.output if o)}/{body.attribute}/")
    return found


def _put(body: Body, new: onnx.ModelProto, prefix: str) -> None:
    """The nodes and constants of ``new`` as the body's; what it makes is named apart from all around it."""
    graph = body.graph
    own = {o for g in graphs(new.graph) for n in g.node for o in n.output if o}
    own |= {i.name for i in new.graph.initializer}
    sources, made = body.sources, body.made
    kept = [onnx.TensorProto.FromString(t.SerializeToString()) for n, t in body.constants.items() if n in sources]
    for name, tensor in zip((n for n in body.constants if n in sources), kept, strict=True):
        tensor.name = name
    names = {n: prefix + n for n in (*own, *(t.name for t in kept))}
    for inner in graphs(new.graph):
        _rename(inner, names)
    for tensor in kept:
        tensor.name = names[tensor.name]
    types = {i.name: i.type for i in new.graph.output}
    nodes = list(new.graph.node)
    for k, (output, source) in enumerate(zip(graph.output, sources, strict=True)):
        if source in made and sources.index(source) == k:
            output.name = names[source]
        else:  # ONNX wants a node even where there is nothing to do
            output.name = f"{prefix}output{k}"
            nodes.append(helper.make_node("Identity", [names.get(source, source)], [output.name]))
        if names.get(source) in types:
            output.type.CopyFrom(types[names[source]])
    held = {t.name: t for t in (*new.graph.initializer, *kept)}
    written = onnx.GraphProto(node=nodes, initializer=held.values(), value_info=new.graph.value_info)
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(written.node)
    graph.initializer.extend(written.initializer)
    graph.value_info.extend(written.value_info)
    for given, formal in zip(graph.input, body.formal, strict=True):
        given.type.CopyFrom(formal.type)


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    for info in (*graph.value_info, *graph.output, *graph.initializer):
        info.name = names.get(info.name, info.name)
    for node in graph.node:
        for field in (node.input, node.output):
            field[:] = [names.get(n, n) for n in field]
