"""A node, and what was made of it, as two models that take and give the same tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import onnx
from onnx import helper, numpy_helper

from rewrite.graph import (
    IR_VERSION,
    OPSET,
    Array,
    Node,
    Shape,
    Tensor,
    dependencies,
    is_constant,
    node_proto,
    subgraphs,
    type_proto,
    value,
)
from rewrite.shape_arithmetic import shape_arithmetic

#: Before and after: a result of the change stands for an output of the node.
Pair = tuple[Tensor, Tensor]


class Fragment:
    """A node as it is when this is made, and the shape arithmetic in front of it, which its rules may follow.

    Constants enter with their values: here the numbers matter.

    :param foreign: versions of domains that are not ONNX's own.
    """

    def __init__(self, node: Node, foreign: Sequence[onnx.OperatorSetIdProto] = ()) -> None:
        self._symbols: dict[str, str] = {}
        sizes = shape_arithmetic(node)
        self._before = [node_proto(n) for n in (*sizes, node)]
        self._foreign = [i for i in foreign if i.domain == node.domain]
        self._outputs = list(node.outputs)
        self._sizes = [o for n in sizes for o in n.outputs]
        made = {id(o) for o in self._sizes}
        read = (*(t for n in (*sizes, node) for t in n.inputs), *_captured(node))
        self._given = [t for t in read if t.name and id(t) not in made]

    def hindrance(self, made: Sequence[Node], results: Sequence[Tensor | None]) -> str:
        """Why there are no two models; empty if there are."""
        unknown = next((t.name for t in self._given if not is_constant(t) and (t.dtype is None or t.shape is None)), "")
        if unknown:
            return f"the dtype or rank of {unknown!r} is not known before the model runs"
        untyped = next((o.name for o, r in self._pairs(results) if o.dtype is None and r.dtype is None), "")
        if untyped:
            return f"the dtype of {untyped!r} is not known before the model runs"
        known = {id(t) for t in (*self._given, *self._sizes, *(o for n in made for o in n.outputs), *_bodies(made))}
        read = (*(t for n in made for t in dependencies(n)), *(r for _, r in self._pairs(results)))
        beyond = next((t.name for t in read if not is_constant(t) and id(t) not in known), "")
        return f"what was made reads {beyond!r}, which the node itself does not" if beyond else ""

    def _pairs(self, results: Sequence[Tensor | None]) -> list[Pair]:
        return [(o, r) for o, r in zip(self._outputs, results, strict=True) if o.name and r is not None]

    def models(self, made: Sequence[Node], results: Sequence[Tensor | None]) -> tuple[onnx.ModelProto, onnx.ModelProto]:
        """The node, and the nodes ``made`` of it; the outputs are those for which there is a result."""
        pairs = self._pairs(results)
        nodes = [*self._before[:-1], *(node_proto(n) for n in made)]
        nodes += [helper.make_node("Identity", [r.name], [o.name]) for o, r in pairs]
        read = [*(t for n in made for t in dependencies(n)), *(r for _, r in pairs)]
        before = self._model(self._before, self._given, pairs)
        for (output, _), info in zip(pairs, before.graph.output, strict=True):
            # what is known of its shape is known of the inputs: where they give another, they are none that occur
            if output.dtype is not None:
                info.type.CopyFrom(self._info(output).type)
        after = self._model(nodes, [*self._given, *read], pairs)
        if not any(_has_bodies(model) for model in (before, after)):  # a body reads names of the graph around it
            _name_plainly(before)
            _name_plainly(after)
        return before, after

    def _model(self, nodes: list[onnx.NodeProto], read: Iterable[Tensor], pairs: Sequence[Pair]) -> onnx.ModelProto:
        given = {t.name: t for t in self._given if not is_constant(t)}
        constants = {t.name: t for t in read if is_constant(t)}
        anyhow: Shape | None = None
        return helper.make_model(
            helper.make_graph(
                nodes,
                "fragment",
                [self._info(t) for t in given.values()],
                [helper.make_tensor_value_info(o.name, _elem_type(o, r), anyhow) for o, r in pairs],
                [numpy_helper.from_array(_held(t), name) for name, t in constants.items()],
            ),
            opset_imports=[helper.make_opsetid("", OPSET), *self._foreign],
            ir_version=IR_VERSION,
        )

    def _info(self, tensor: Tensor) -> onnx.ValueInfoProto:
        kind = type_proto(tensor)
        for dim in kind.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = self._symbols.setdefault(dim.dim_param, f"S{len(self._symbols)}")
        return helper.make_value_info(tensor.name, kind)


def _elem_type(output: Tensor, result: Tensor) -> int:
    return type_proto(output if output.dtype is not None else result).tensor_type.elem_type


def _held(tensor: Tensor) -> Array:
    array = value(tensor)
    assert array is not None, tensor.name
    return array


def _captured(node: Node) -> list[Tensor]:
    """What the node's inner graphs read of the tensors around them. Constants they bring along."""
    known = {id(t) for t in (*_bodies([node]), *node.inputs)}
    return list({id(t): t for t in dependencies(node) if id(t) not in known and not is_constant(t)}.values())


def _bodies(nodes: Iterable[Node]) -> Iterator[Tensor]:
    """The tensors that the nodes' inner graphs take and make."""
    for graph in (g for n in nodes for g in subgraphs(n)):
        yield from graph.inputs
        yield from (o for n in graph.nodes for o in n.outputs)
        yield from _bodies(graph.nodes)


def _has_bodies(model: onnx.ModelProto) -> bool:
    return any(a.HasField("g") or a.graphs for n in model.graph.node for a in n.attribute)


def _name_plainly(model: onnx.ModelProto) -> None:
    """Names that do not depend on the graph around, so that equal changes give equal bytes."""
    graph = model.graph
    names = {"": ""}
    for info in (*graph.input, *graph.output, *graph.initializer):
        info.name = names.setdefault(info.name, f"t{len(names)}")
    for node in graph.node:
        node.name = ""
        for held in (node.input, node.output):
            renamed = [names.setdefault(n, f"t{len(names)}") for n in held]
            del held[:]
            held.extend(renamed)
