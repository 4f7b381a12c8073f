"""The graph that passes and rules work on: onnx-graphsurgeon's, without its traps.

graphsurgeon drops node metadata, recurses for ever on a local function inside an ``If``, orders nodes in quadratic
time and loads what it touches. This module alone imports it: functions are inlined before it is called, provenance is
kept beside it by output name, weights stay the protobuf messages they were until a rule reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from onnx import helper, numpy_helper
from onnx_graphsurgeon.exporters.onnx_exporter import OnnxExporter
from onnx_graphsurgeon.ir.tensor import LazyValues
from onnx_graphsurgeon.logger import G_LOGGER

from convert.custom import CustomOperator, declared
from convert.custom import Tensor as DeclaredTensor
from convert.dimensions import expression
from convert.errors import BadModel
from rewrite.declared import outputs_for
from rewrite.order import topological
from rewrite.origin import Origin, origins_of
from rewrite.weights import LARGE, put_back, settle_encoding

# It prints what it thinks of a model to stdout; what matters is checked here, or by ONNX's checker.
G_LOGGER.severity = G_LOGGER.ERROR

#: A tensor of the graph: ``gs.Variable`` or ``gs.Constant``. Both have ``name``, ``shape`` and ``dtype``.
Tensor: TypeAlias = Any
#: A node of the graph, ``gs.Node``.
Node: TypeAlias = Any
Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Shape: TypeAlias = tuple[int | str, ...]

#: The one opset that rules and targets see: the newest that onnxruntime runs.
OPSET = 26
IR_VERSION = 10

#: Constants with up to this many elements are shown to shape inference and, by value, to a target.
SMALL = 1024


class Graph:
    """A model being rewritten. ``nodes`` are in topological order, before and after every pass."""

    def __init__(self, graph: gs.Graph, origins: dict[str, Origin]) -> None:
        self._graph = graph
        self.origins = origins
        self._names = {name for g in _nested(graph) for name in (*g.tensors(), *(n.name for n in g.nodes))}
        self._serial = 0
        self._foreign: list[onnx.OperatorSetIdProto] = []

    @classmethod
    def read(
        cls,
        model: onnx.ModelProto,
        origins: dict[str, Origin] | None = None,
        weights: Mapping[str, onnx.TensorProto] | None = None,
    ) -> Graph:
        """Take over ``model``: functions inlined, at :data:`OPSET`, shapes inferred. It shares the model's weights.

        :param weights: what :func:`rewrite.weights.set_aside` made inputs of; shared too, and not changed.
        :raises BadModel: nodes that depend on each other in a circle.
        """
        graph = gs.import_onnx(model)
        for tensor in [t for t in graph.inputs if t.name in (weights or {})]:
            tensor.to_constant(LazyValues((weights or {})[tensor.name]))
        graph.inputs = [t for t in graph.inputs if isinstance(t, gs.Variable)]
        self = cls(graph, origins if origins is not None else origins_of(model))
        self._foreign = [i for i in model.opset_import if i.domain]
        for tensor in (t for g in _nested(graph) for t in g.tensors().values()):
            if isinstance(tensor, gs.Variable):
                if tensor.type == "optional_type":
                    tensor.dtype = None  # graphsurgeon takes a message for it, which it cannot write again
                tensor.dtype = _numpy_dtype(tensor.dtype)
                if tensor.shape is not None:
                    tensor.shape = tuple(_dimension(d, tensor.name, k) for k, d in enumerate(tensor.shape))
        for node in (n for g in _nested(graph) for n in g.nodes):
            _settle_constant(node)
        self._name_apart()
        self._own_constants()
        self.sort()
        self._adopt_origins()
        return self

    def _own_constants(self) -> None:
        """Give each reader of a small constant one of its own.

        Exporters make one of equal constants; whoever unhooks one of its thousands of readers would look through all.
        """
        for tensor in [t for t in self._graph.tensors().values() if is_constant(t) and len(t.outputs) > 1]:
            if np.prod(tensor.shape, dtype=int) > SMALL:
                continue
            for reader in list(tensor.outputs):  # from the front: each is found at once
                place = next(k for k, t in enumerate(reader.inputs) if t is tensor)
                reader.inputs[place] = gs.Constant(self.fresh(tensor.name), value(tensor))

    def _name_apart(self) -> None:
        """Tensors of different bodies may have one name; each gets its own, as if they stood side by side."""
        seen: dict[str, int] = {}
        for graph in _nested(self._graph):
            inner = (t for n in graph.nodes for t in (*n.outputs, *n.inputs))
            for tensor in (t for t in (*graph.inputs, *inner, *graph.outputs) if t.name):
                if seen.setdefault(tensor.name, id(tensor)) != id(tensor):
                    origin = self.origins.get(tensor.name)
                    tensor.name = self.fresh(tensor.name)
                    seen[tensor.name] = id(tensor)
                    if origin is not None:
                        self.origins[tensor.name] = origin

    def write(self, check: Callable[[onnx.ModelProto], onnx.ModelProto] | None = None) -> onnx.ModelProto:
        """The graph as a model, with provenance back on its nodes and shapes on its tensors.

        :param check: what the model goes through before it gets its large weights; they are inputs until then.
        """
        large = self._large()
        with _as_inputs(self._graph, large):
            model = self._export()
        if check is not None:
            model = check(model)
        put_back(model, ((t.name, _tensor_proto(t)) for t in large))
        return model

    def _large(self) -> list[Tensor]:
        """Large constants, but for those that a node's body reads: it writes them itself."""
        inside = {id(t) for g in _nested(self._graph) if g is not self._graph for t in g.tensors().values()}
        inside |= {id(t) for t in self.outputs}
        constants = (t for t in self._graph.tensors().values() if isinstance(t, gs.Constant))
        return [t for t in constants if np.prod(t.shape, dtype=int) >= LARGE and id(t) not in inside]

    def _export(self) -> onnx.ModelProto:
        self._graph.opset = OPSET
        domains = {n.domain for g in _nested(self._graph) for n in g.nodes}
        foreign = [i for i in self._foreign if i.domain in domains]
        self._graph.import_domains = [helper.make_opsetid("", OPSET), *foreign]
        self._graph.ir_version = IR_VERSION
        for node in (n for g in _nested(self._graph) for n in g.nodes):
            for name in [k for k, v in node.attrs.items() if _is_empty(v)]:
                del node.attrs[name]
        model: onnx.ModelProto = gs.export_onnx(self._graph, do_type_check=False)
        for weight in model.graph.initializer:
            settle_encoding(weight)
        for node in model.graph.node:
            origin = next((self.origins[o] for o in node.output if o in self.origins), None)
            if origin is not None:
                origin.attach(node)
        return model

    @property
    def nodes(self) -> list[Node]:
        nodes: list[Node] = self._graph.nodes
        return nodes

    @nodes.setter
    def nodes(self, nodes: Iterable[Node]) -> None:
        self._graph.nodes = list(nodes)

    @property
    def foreign(self) -> Sequence[onnx.OperatorSetIdProto]:
        """Versions of domains that are not ONNX's own."""
        return self._foreign

    @property
    def inputs(self) -> list[Tensor]:
        inputs: list[Tensor] = self._graph.inputs
        return inputs

    @inputs.setter
    def inputs(self, inputs: Iterable[Tensor]) -> None:
        self._graph.inputs = list(inputs)

    @property
    def outputs(self) -> list[Tensor]:
        outputs: list[Tensor] = self._graph.outputs
        return outputs

    def is_output(self, tensor: Tensor) -> bool:
        return any(tensor is o for o in self.outputs)

    def fresh(self, stem: str) -> str:
        """A tensor name that the graph does not have yet."""
        while True:
            self._serial += 1
            name = f"{stem}.{self._serial}"
            if name not in self._names:
                self._names.add(name)
                return name

    def constant(self, array: Array, stem: str = "constant") -> Tensor:
        return gs.Constant(self.fresh(stem), np.ascontiguousarray(array) if np.ndim(array) else np.asarray(array))

    def node(
        self,
        op: str,
        inputs: Sequence[Tensor | None],
        attrs: dict[str, Any],
        *,
        outputs: int = 1,
        stem: str = "",
        domain: str = "",
    ) -> Node:
        """A new node, not yet in the list, with its outputs' dtypes and shapes inferred."""
        variables = [gs.Variable(self.fresh(stem or op.lower())) for _ in range(outputs)]
        tensors = [gs.Variable.empty() if t is None else t for t in inputs]
        while tensors and not tensors[-1].name:
            tensors.pop()
        node = gs.Node(op, self.fresh(op), dict(attrs), tensors, variables, domain=domain or None)
        infer(node)
        return node

    def like(self, node: Node, inputs: Sequence[Tensor | None]) -> Node:
        """A new node, not yet in the list, as ``node`` of a body is, but on other inputs.

        What is known of its outputs is found for these inputs; numbers that are known of the body's fill what is open.
        """
        stem, domain = node.outputs[0].name, node.domain or ""
        made = self.node(node.op, inputs, node.attrs, outputs=len(node.outputs), stem=stem, domain=domain)
        for new, old in zip(made.outputs, node.outputs, strict=True):
            if not old.name:
                new.name = ""
                continue
            _fill(new, old)
            if old.name in self.origins:
                self.origins[new.name] = self.origins[old.name]
        return made

    def substitute(self, node: Node, results: Sequence[Tensor | None]) -> list[Node]:
        """Let ``results`` take the place of ``node``'s outputs, whose names stay; None for an output that nobody reads.

        :returns: nodes that this had to add, where an output of the model is equal to an input or a constant.
        """
        added: list[Node] = []
        olds = list(node.outputs)
        node.outputs.clear()
        node.inputs.clear()
        taken: dict[int, Tensor] = {}
        for old, result in zip(olds, results, strict=True):
            new = taken.get(id(result), result)  # a result that stands for two outputs goes by the first one's name
            if new is None or not old.name or old is new:
                continue
            if new.inputs and not self.is_output(new) and not any(new is o for o in self.inputs):
                producer = new.inputs[0]
                _take_over(old, new)
                if new.name in self.origins:
                    self.origins[old.name] = self.origins[new.name]
                producer.outputs[_index(producer.outputs, new)] = old
                _move_consumers(new, old)
                taken[id(new)] = old
            elif self.is_output(old):
                identity = gs.Node("Identity", self.fresh("Identity"), {}, [new], [old])
                added.append(identity)
            else:
                _move_consumers(old, new)
        return added

    def exchange(self, node: Node, new: Node) -> list[Node]:
        """Let ``new`` take the place of ``node``, each with one output; the nodes that stand there now."""
        out = node.outputs[0]
        if out.name in self.origins:
            self.origins[new.outputs[0].name] = self.origins[out.name]
        return [new, *self.substitute(node, [new.outputs[0]])]

    def sort(self) -> None:
        """Put the nodes into topological order, stable for nodes already in order."""
        order = topological(self.nodes, dependencies, lambda node: [o for o in node.outputs if o.name])
        if len(order) != len(self.nodes):
            ordered = {id(n) for n in order}
            stuck = next(n for n in self.nodes if id(n) not in ordered)
            raise BadModel("the model's nodes depend on each other in a circle", where=str(self.origin(stuck)))
        self.nodes = order

    def _adopt_origins(self) -> None:
        """Nodes that conversion between opsets made in front of an exported one stand for it too."""
        for node in reversed(self.nodes):
            if any(o.name in self.origins for o in node.outputs):
                continue
            readers = (r for out in node.outputs for r in out.outputs)
            found = (self.origins.get(o.name) for reader in readers for o in reader.outputs)
            origin = next((o for o in found if o is not None), None)
            if origin is not None:
                self.origins |= {out.name: origin for out in node.outputs if out.name}

    def drop_dead(self) -> int:
        """Remove the nodes on which no output depends; the number removed."""
        alive = {id(o) for o in self.outputs}
        kept: list[Node] = []
        dead: list[Node] = []
        for node in reversed(self.nodes):
            if any(id(o) in alive for o in node.outputs):
                kept.append(node)
                alive.update(id(t) for t in dependencies(node))
            else:
                dead.append(node)
        self.discard(dead)
        self.nodes = reversed(kept)
        return len(dead)

    @staticmethod
    def discard(nodes: Iterable[Node]) -> None:
        """Unhook nodes that are not, or no longer, in the list from the tensors around them; so with their bodies."""
        for node in nodes:
            for body in subgraphs(node):
                Graph.discard(body.nodes)
            node.inputs.clear()
            node.outputs.clear()

    def probe(self, *nodes: Node, made: bool = False) -> onnx.ModelProto:
        """The nodes as a model of their own, with canonical names, so that equal nodes give equal bytes.

        Shape arithmetic in front of them is part of it. What the model gives are the outputs of the last node, and
        those of the others that are outputs of the graph.

        :param made: see :class:`rewrite.probe.Probe`.
        """
        from rewrite.probe import Probe  # which builds on this module
        from rewrite.shape_arithmetic import shape_arithmetic

        sizes = {id(n): n for node in nodes for n in shape_arithmetic(node) or () if n not in nodes}
        inner = [o for node in nodes[:-1] for o in node.outputs if self.is_output(o)]
        return Probe([*sizes.values(), *nodes], [*inner, *nodes[-1].outputs], self._foreign, made=made).model()

    def probes(self, *nodes: Node) -> list[onnx.ModelProto]:
        """The probe; and where the nodes read numbers without axes that are computed, one that makes them."""
        from rewrite.probe import is_computed_number

        computed = any(is_computed_number(t) for node in nodes for t in node.inputs)
        return [self.probe(*nodes, made=made) for made in (False, True)[: 1 + computed]]

    def origin(self, node: Node) -> Origin:
        """Where the node comes from in the user's model."""
        for out in node.outputs:
            if out.name in self.origins:
                return self.origins[out.name]
        return Origin(node.name, node.op)


def value(tensor: Tensor | None) -> Array | None:
    """The tensor's value where it is a constant, else None. Reading a lazy weight does not keep a second copy of it."""
    if not isinstance(tensor, gs.Constant):
        return None
    held = tensor._values
    array: Array = numpy_helper.to_array(held.tensor) if isinstance(held, LazyValues) else np.asarray(held)
    return array


def is_constant(tensor: Tensor) -> bool:
    return isinstance(tensor, gs.Constant)


def dtype_of(tensor: Tensor) -> np.dtype[Any] | None:
    return _numpy_dtype(tensor.dtype)


def shape_of(tensor: Tensor) -> Shape | None:
    """Sizes, symbolic ones as strings; None where not even the rank is known."""
    return None if tensor.shape is None else tuple(tensor.shape)


def static_shape(tensor: Tensor) -> tuple[int, ...] | None:
    """Sizes where all of them are numbers, else None."""
    shape = shape_of(tensor)
    return shape if shape is not None and all(isinstance(d, int) for d in shape) else None  # type: ignore[return-value]


def subgraphs(node: Node) -> Iterator[gs.Graph]:
    return (a for a in node.attrs.values() if isinstance(a, gs.Graph))


def dependencies(node: Node) -> Iterator[Tensor]:
    """Tensors that the node reads: its inputs and what its subgraphs take from around them."""
    yield from (t for t in node.inputs if t.name)
    for graph in subgraphs(node):
        for inner in graph.nodes:
            yield from dependencies(inner)
        yield from graph.outputs


def _nested(graph: gs.Graph) -> Iterator[gs.Graph]:
    """The graph, and all graphs inside its nodes."""
    yield graph
    for node in graph.nodes:
        for inner in subgraphs(node):
            yield from _nested(inner)


@contextmanager
def _as_inputs(graph: gs.Graph, constants: Sequence[Tensor]) -> Iterator[None]:
    """Let the constants pass for inputs of the graph."""
    held = [(t, t._values) for t in constants]
    inputs = list(graph.inputs)
    for tensor in constants:
        tensor.to_variable(tensor.dtype, tensor.shape).type = "tensor_type"
    graph.inputs = [*inputs, *constants]
    try:
        yield
    finally:
        graph.inputs = inputs
        for tensor, values in held:
            tensor.to_constant(values)


def node_proto(node: Node) -> onnx.NodeProto:
    """The node as ONNX writes it; an attribute that is an empty list is left out, for its type cannot be told."""
    proto = helper.make_node(
        node.op, [t.name for t in node.inputs], [t.name for t in node.outputs], node.name, domain=node.domain
    )
    proto.attribute.extend(OnnxExporter.export_attributes({k: v for k, v in node.attrs.items() if not _is_empty(v)}))
    return proto


def _is_empty(attribute: Any) -> bool:
    return isinstance(attribute, list | tuple) and not attribute


def _settle_constant(node: Node) -> None:
    """A Constant's numbers, whichever attribute has them (an empty list has no type of its own), as ``value``."""
    kinds = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
    if node.op == "Constant" and not node.domain:
        for name in kinds.keys() & node.attrs.keys():
            node.attrs["value"] = gs.Constant(name, np.array(node.attrs.pop(name), kinds[name]))


def infer(node: Node) -> None:
    """Set dtypes and shapes of the node's outputs by ONNX's own inference for this one node.

    Sizes known before, from values that inference over the whole model followed, stay where this finds none.

    :raises onnx.shape_inference.InferenceError: the node is not valid for its inputs.
    """
    domain = node.domain or ""
    operator = declared(domain, node.op)
    if operator is not None:
        _infer_declared(node, operator)
    if domain or not onnx.defs.has(node.op, OPSET, ""):
        return
    types = {t.name: type_proto(t) for t in node.inputs if t.name and t.dtype is not None}
    small = [t for t in node.inputs if isinstance(t, gs.Constant) and np.prod(t.shape, dtype=int) <= SMALL]
    data = {t.name: _tensor_proto(t) for t in small}
    schema = onnx.defs.get_schema(node.op, OPSET, domain)
    imports = [helper.make_opsetid("", OPSET)]
    inferred = onnx.shape_inference.infer_node_outputs(schema, node_proto(node), types, data, opset_imports=imports)
    for out in node.outputs:
        if out.name in inferred and inferred[out.name].HasField("tensor_type"):
            kind = inferred[out.name].tensor_type
            out.dtype = _numpy_dtype(kind.elem_type)
            if kind.HasField("shape"):
                out.shape = _sharpest(out, kind.shape)


def _infer_declared(node: Node, operator: CustomOperator) -> None:
    """The same for a custom operator, by its declaration."""
    given = [t for t in node.inputs if t.name]
    if any(t.dtype is None or t.shape is None for t in given):
        return
    inputs = [_declared_tensor(t) if t.name else None for t in node.inputs]
    attributes = {k: value(v) if isinstance(v, gs.Constant) else v for k, v in node.attrs.items()}
    for out, found in zip(
        node.outputs, outputs_for(operator, attributes, inputs, [o.name for o in node.outputs]), strict=True
    ):
        out.dtype = np.dtype(found.dtype)
        out.shape = found.shape


def _declared_tensor(tensor: Tensor) -> DeclaredTensor:
    small = is_constant(tensor) and np.prod(tensor.shape, dtype=int) <= SMALL
    shape = tuple(map(expression, tensor.shape))
    return DeclaredTensor(str(_numpy_dtype(tensor.dtype)), shape, value(tensor) if small else None)


def refresh_shapes(node: Node) -> None:
    """Infer the outputs' shapes again where sizes are open still: more may be known of the inputs than before."""
    if any(o.name and static_shape(o) is None for o in node.outputs):
        # Inference over the whole model knew no better where inference of the node alone fails (of sequences, whose
        # types a graph does not keep): it stays as it is.
        with suppress(onnx.shape_inference.InferenceError, onnx.checker.ValidationError):
            infer(node)


def _sharpest(tensor: Tensor, found: onnx.TensorShapeProto) -> Shape:
    """Per axis: a number if one is found, else what was known, else what is found."""
    known = shape_of(tensor) or ()
    sizes: list[int | str] = [d.dim_value if d.HasField("dim_value") else d.dim_param for d in found.dim]
    for axis, old in enumerate(known if len(known) == len(sizes) else ()):
        if isinstance(sizes[axis], str) and (not sizes[axis] or old != _dimension(None, tensor.name, axis)):
            sizes[axis] = old
    return tuple(_dimension(size, tensor.name, axis) for axis, size in enumerate(sizes))


def _tensor_proto(tensor: Tensor) -> onnx.TensorProto:
    held = tensor._values
    if isinstance(held, LazyValues):
        lazy: onnx.TensorProto = held.tensor
        return lazy
    return numpy_helper.from_array(np.asarray(held), tensor.name)


def type_proto(tensor: Tensor) -> onnx.TypeProto:
    """The tensor's dtype and shape as ONNX writes them."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(_numpy_dtype(tensor.dtype)))
    return helper.make_tensor_type_proto(kind, None if tensor.shape is None else list(tensor.shape))


def _numpy_dtype(dtype: Any) -> np.dtype[Any] | None:
    """graphsurgeon keeps numpy dtypes, but ONNX's number for those that numpy lacks."""
    if isinstance(dtype, int):
        dtype = helper.tensor_dtype_to_np_dtype(dtype) if dtype else None
    settled: np.dtype[Any] | None = None if dtype is None else np.dtype(dtype)
    return settled


def _dimension(dim: int | str | None, tensor: str, axis: int) -> int | str:
    """A dimension of unknown size without a name gets one of its own: unequal to every other."""
    if isinstance(dim, int | np.integer) and dim >= 0:
        return int(dim)
    return dim if isinstance(dim, str) and dim else f"{tensor}:{axis}"


def _index(tensors: Sequence[Tensor], wanted: Tensor) -> int:
    return next(i for i, t in enumerate(tensors) if t is wanted)


def _take_over(old: Tensor, new: Tensor) -> None:
    """Keep what is known best of a tensor that changes its producer."""
    old.dtype = new.dtype if new.dtype is not None else old.dtype
    if old.shape is None or (new.shape is not None and all(isinstance(d, int) for d in new.shape)):
        old.shape = new.shape


def _fill(tensor: Tensor, like: Tensor) -> None:
    """Take dtype and sizes from ``like`` where they are open; a symbol of its is not the same size here."""
    if tensor.dtype is None:
        tensor.dtype = like.dtype
    known = shape_of(like)
    if known is None or (tensor.shape is not None and len(tensor.shape) != len(known)):
        return
    sizes = tensor.shape or tuple(_dimension(None, tensor.name, k) for k in range(len(known)))
    pairs = zip(sizes, known, strict=True)
    tensor.shape = tuple(k if isinstance(d, str) and isinstance(k, int) else d for d, k in pairs)


def _move_consumers(old: Tensor, new: Tensor) -> None:
    """Let every reader of ``old`` read ``new``."""
    for consumer in {id(c): c for c in old.outputs}.values():
        for i, tensor in enumerate(consumer.inputs):
            if tensor is old:
                consumer.inputs[i] = new


def probe_of(model: onnx.ModelProto, outputs: Sequence[str]) -> onnx.ModelProto:
    """The probe of the node of ``model`` that makes ``outputs``; the same bytes as the engine judged.

    :raises StopIteration: there is no such node.
    """
    graph = Graph.read(model)
    wanted = next(iter(outputs))
    return graph.probe(next(n for n in graph.nodes if any(o.name == wanted for o in n.outputs)))
