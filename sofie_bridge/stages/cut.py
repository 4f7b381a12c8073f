"""Where a model is cut: parts between the nodes that have kernels, as few and as large as can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TypeAlias

import onnx
from onnx import helper

from rewrite.protos import graphs
from sofie_bridge.stages.whole import Whole


@dataclass(frozen=True)
class Part:
    """Nodes that are run together.

    :param inputs: tensors from outside, constants left out. :param outputs: tensors that others read.
    """

    nodes: tuple[onnx.NodeProto, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def model(self, whole: Whole) -> onnx.ModelProto:
        """The part as a model of its own, with its constants."""
        around, infos = whole.model, whole.infos
        made = dict.fromkeys(o for n in self.nodes for o in n.output)
        read = dict.fromkeys(n for node in self.nodes for n in reads(node))
        part = onnx.ModelProto(ir_version=around.ir_version, opset_import=around.opset_import)
        part.functions.extend(around.functions)
        part.graph.name = around.graph.name
        part.graph.node.extend(self.nodes)
        part.graph.input.extend(infos[n] for n in self.inputs)
        part.graph.output.extend(infos.get(n) or helper.make_empty_tensor_value_info(n) for n in self.outputs)
        given = {*self.inputs, *self.outputs}
        part.graph.value_info.extend(infos[n] for n in made if n in infos and n not in given)
        part.graph.initializer.extend(whole.constants[n] for n in read if n in whole.constants)
        return part


@dataclass(frozen=True)
class Single:
    """A node that is run by itself."""

    node: onnx.NodeProto


Step: TypeAlias = Part | Single
IsCut = Callable[[onnx.NodeProto], bool]

#: A tensor of sizes is made anew in each part that reads it, up to so many numbers.
_FEW = 64


def cut(model: onnx.ModelProto, is_cut: IsCut) -> list[Step]:
    """The steps, in an order in which they can be run.

    What computes sizes out of shapes is no step's own: each part that reads a size computes it, because code that is
    generated knows sizes only where it sees the shape that they come from.

    :param model: nodes in topological order.
    """
    return _Cutter(model, is_cut).steps()


class _Cutter:
    def __init__(self, model: onnx.ModelProto, is_cut: IsCut) -> None:
        graph = model.graph
        self.constants = {i.name for i in graph.initializer}
        self.makers = {o: n for n in graph.node for o in n.output if o}
        self.there = {"", *self.constants, *(i.name for i in graph.input)}
        self.outputs = [o.name for o in graph.output]
        self.few = _few(model)
        self.is_cut = is_cut
        self.sizes = self._size_nodes(graph.node)
        wanted = {n for node in graph.node if is_cut(node) for n in node.input}
        # a size that a kernel reads, or that the model gives, is a tensor like any other
        solid = wanted | set(self.outputs)
        self.waiting = [n for n in graph.node if id(n) not in self.sizes or solid.intersection(n.output)]

    def _size_nodes(self, nodes: Sequence[onnx.NodeProto]) -> set[int]:
        """Nodes that compute few numbers out of shapes and constants alone."""
        found: set[int] = set()
        made: set[str] = set()
        for node in nodes:
            if node.domain or self.is_cut(node) or not all(o in self.few for o in node.output if o):
                continue
            read = [n for n in reads(node) if n not in self.constants]
            if node.op_type in ("Shape", "Size") or (read and made.issuperset(read)):
                found.add(id(node))
                made.update(node.output)
        return found

    def steps(self) -> list[Step]:
        """Alternately all nodes with kernels that can be run, and all others that can: no order has fewer parts."""
        found: list[Single | list[onnx.NodeProto]] = []
        while self.waiting:
            singles = self._ready(cut=True)
            nodes = self._ready(cut=False)
            if not singles and not nodes:
                raise ValueError("the nodes of the model are in no topological order")
            found += [*map(Single, singles), *([nodes] if nodes else [])]
        parts = [s if isinstance(s, Single) else self._part(s) for s in found]
        wanted = {n for p in parts for n in (p.inputs if isinstance(p, Part) else reads(p.node))} | set(self.outputs)
        return [s if isinstance(s, Single) else replace(s, outputs=_within(s.outputs, wanted)) for s in parts]

    def _ready(self, *, cut: bool) -> list[onnx.NodeProto]:
        """All that can be run now without the other kind; they leave the waiting."""
        taken: list[onnx.NodeProto] = []
        left: list[onnx.NodeProto] = []
        for node in self.waiting:
            # a kernel takes tensors alone; a part computes the sizes that it reads
            is_there = self.there.__contains__ if cut else self._is_there
            if self.is_cut(node) is cut and all(map(is_there, reads(node))):
                taken.append(node)
                self.there.update(node.output)
            else:
                left.append(node)
        self.waiting = left
        return taken

    def _is_there(self, name: str) -> bool:
        """Made already, or a size whose shape is."""
        maker = self.makers.get(name)
        if name in self.there or maker is None or id(maker) not in self.sizes:
            return name in self.there
        return all(self._is_there(n) for n in reads(maker))

    def _with_sizes(self, nodes: Sequence[onnx.NodeProto]) -> tuple[onnx.NodeProto, ...]:
        """The nodes, each behind those that compute the sizes that it reads."""
        order: dict[int, onnx.NodeProto] = {}

        def add(node: onnx.NodeProto) -> None:
            for name in reads(node):
                maker = self.makers.get(name)
                if maker is not None and id(maker) in self.sizes and id(maker) not in order:
                    add(maker)
            order[id(node)] = node

        for node in nodes:
            add(node)
        return tuple(order.values())

    def _part(self, own: Sequence[onnx.NodeProto]) -> Part:
        """The nodes as a part; all that they make are outputs. Sizes made anew are none."""
        nodes = self._with_sizes(own)
        made = {o for n in nodes for o in n.output}
        read = dict.fromkeys(n for node in nodes for n in reads(node) if n not in made and n not in self.constants)
        return Part(nodes, tuple(read), tuple(o for n in own for o in n.output if o))


def _within(names: Sequence[str], wanted: set[str]) -> tuple[str, ...]:
    return tuple(n for n in names if n in wanted)


def reads(node: onnx.NodeProto) -> list[str]:
    """Tensors that the node reads, its bodies' from around them included."""
    found = [n for n in node.input if n]
    for attribute in node.attribute:
        if attribute.HasField("g"):
            inner = list(graphs(attribute.g))
            own = {o for g in inner for n in g.node for o in n.output} | {i.name for g in inner for i in g.input}
            own |= {i.name for g in inner for i in g.initializer}
            found += [n for g in inner for node_ in g.node for n in node_.input if n and n not in own]
            found += [o.name for o in attribute.g.output if o.name not in own]
    return found


def _few(model: onnx.ModelProto) -> set[str]:
    """Tensors in one row, or alone, of few numbers."""
    found = set()
    for info in (*model.graph.value_info, *model.graph.output):
        dims = [d.dim_value if d.HasField("dim_value") else _FEW + 1 for d in info.type.tensor_type.shape.dim]
        if info.type.tensor_type.HasField("shape") and len(dims) < 2 and prod(dims) <= _FEW:
            found.add(info.name)
    return found
