"""The graph that passes and rules work on: onnx-graphsurgeon's, without its traps.

graphsurgeon drops node metadata, recurses for ever on a local function inside an ``If``, orders nodes in quadratic
time and loads what it touches. This module alone imports it: functions are inlined before it is called, provenance is
kept beside it by output name, weights stay the protobuf messages they were until a rule reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from onnx import helper, numpy_helper
from onnx_graphsurgeon.exporters.onnx_exporter import OnnxExporter
from onnx_graphsurgeon.ir.tensor import LazyValues

from rewrite.origin import Origin, origins_of

#: A tensor of the graph: ``gs.Variable`` or ``gs.Constant``. Both have ``name``, ``shape`` and ``dtype``.
Tensor: TypeAlias = Any
#: A node of the graph, ``gs.Node``.
Node: TypeAlias = Any
Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Shape: TypeAlias = tuple[int | str, ...]

#: The one opset that rules and targets see: the newest that onnxruntime runs.
OPSET = 26
IR_VERSION = 10

#: Constants with more elements than this enter a probe by shape alone (zeros): no operator's legality hangs on them.
PROBE_VALUES = 1024


class Graph:
    """A model being rewritten. ``nodes`` are in topological order, before and after every pass."""

    def __init__(self, graph: gs.Graph, origins: dict[str, Origin]) -> None:
        self._graph = graph
        self.origins = origins
        self._names = set(graph.tensors().keys()) | {n.name for n in graph.nodes}
        self._serial = 0

    @classmethod
    def read(cls, model: onnx.ModelProto, origins: dict[str, Origin] | None = None) -> Graph:
        """Take over ``model``: functions inlined, at :data:`OPSET`, shapes inferred. It shares the model's weights."""
        graph = gs.import_onnx(model)
        self = cls(graph, origins if origins is not None else origins_of(model))
        for tensor in graph.tensors().values():
            if isinstance(tensor, gs.Variable):
                tensor.dtype = _numpy_dtype(tensor.dtype)
                tensor.shape = None if tensor.shape is None else tuple(_dimension(d) for d in tensor.shape)
        self.sort()
        return self

    def write(self) -> onnx.ModelProto:
        """The graph as a model, with provenance back on its nodes and shapes on its tensors."""
        self._graph.opset = OPSET
        self._graph.import_domains = [helper.make_opsetid("", OPSET)]
        self._graph.ir_version = IR_VERSION
        model = gs.export_onnx(self._graph, do_type_check=False)
        for weight in model.graph.initializer:
            if not weight.HasField("raw_data") and weight.data_location != onnx.TensorProto.EXTERNAL:
                # as every probe has it: a target may read one of ONNX's two encodings of a type only
                weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight), weight.name))
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
    def inputs(self) -> list[Tensor]:
        inputs: list[Tensor] = self._graph.inputs
        return inputs

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
        return gs.Constant(self.fresh(stem), np.ascontiguousarray(array) if array.ndim else array)

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

    def substitute(self, node: Node, results: Sequence[Tensor | None]) -> list[Node]:
        """Let ``results`` take the place of ``node``'s outputs, whose names stay; None for an output that nobody reads.

        :returns: nodes that this had to add, where an output of the model is equal to an input or a constant.
        """
        added: list[Node] = []
        olds = list(node.outputs)
        node.outputs.clear()
        node.inputs.clear()
        for old, new in zip(olds, results, strict=True):
            if new is None or not old.name or old is new:
                continue
            if new.inputs and not self.is_output(new) and not any(new is o for o in self.inputs):
                producer = new.inputs[0]
                _take_over(old, new)
                if new.name in self.origins:
                    self.origins[old.name] = self.origins[new.name]
                producer.outputs[_index(producer.outputs, new)] = old
                _move_consumers(new, old)
            elif self.is_output(old):
                identity = gs.Node("Identity", self.fresh("Identity"), {}, [new], [old])
                added.append(identity)
            else:
                _move_consumers(old, new)
        return added

    def sort(self) -> None:
        """Put the nodes into topological order (Kahn's algorithm), stable for nodes already in order."""
        produced = {id(o) for n in self.nodes for o in n.outputs if o.name}
        seen: set[int] = set()
        waiting: dict[int, list[Node]] = {}
        missing: dict[int, int] = {}
        order: list[Node] = []

        def emit(node: Node) -> None:
            stack = [node]
            while stack:
                current = stack.pop()
                order.append(current)
                for out in current.outputs:
                    if id(out) in seen:
                        continue
                    seen.add(id(out))
                    for consumer in waiting.pop(id(out), []):
                        missing[id(consumer)] -= 1
                        if not missing[id(consumer)]:
                            stack.append(consumer)

        for node in self.nodes:
            needs = {id(t) for t in dependencies(node) if id(t) in produced and id(t) not in seen}
            if needs:
                missing[id(node)] = len(needs)
                for need in needs:
                    waiting.setdefault(need, []).append(node)
            else:
                emit(node)
        self.nodes = order

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
        for node in dead:
            node.inputs.clear()
            node.outputs.clear()
        self.nodes = reversed(kept)
        return len(dead)

    def probe(self, node: Node) -> onnx.ModelProto:
        """The node as a model of its own, with canonical names, so that equal nodes give equal bytes."""
        return _Probe(node).model()

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


def node_proto(node: Node) -> onnx.NodeProto:
    proto: onnx.NodeProto = OnnxExporter.export_node(node)
    return proto


def infer(node: Node) -> None:
    """Set dtypes and shapes of the node's outputs by ONNX's own inference for this one node.

    :raises onnx.shape_inference.InferenceError: the node is not valid for its inputs.
    """
    domain = node.domain or ""
    if not onnx.defs.has(node.op, OPSET, domain):
        return
    types = {t.name: type_proto(t) for t in node.inputs if t.name and t.dtype is not None}
    data = {
        t.name: _tensor_proto(t)
        for t in node.inputs
        if isinstance(t, gs.Constant) and np.prod(t.shape, dtype=int) <= PROBE_VALUES
    }
    schema = onnx.defs.get_schema(node.op, OPSET, domain)
    imports = [helper.make_opsetid("", OPSET)]
    inferred = onnx.shape_inference.infer_node_outputs(schema, node_proto(node), types, data, opset_imports=imports)
    for out in node.outputs:
        if out.name in inferred and inferred[out.name].HasField("tensor_type"):
            kind = inferred[out.name].tensor_type
            out.dtype = _numpy_dtype(kind.elem_type)
            if kind.HasField("shape"):
                out.shape = tuple(_dimension(d.dim_param or (d.dim_value if d.HasField("dim_value") else None))
                                  for d in kind.shape.dim)  # fmt: skip


class _Probe:
    """Builds a one-node model with names that do not depend on the graph around it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.tensors: dict[int, str] = {}
        self.symbols: dict[str, str] = {}

    def name(self, tensor: Tensor, stem: str) -> str:
        if not tensor.name:
            return ""
        return self.tensors.setdefault(id(tensor), f"{stem}{len(self.tensors)}")

    def info(self, tensor: Tensor, name: str) -> onnx.ValueInfoProto:
        kind = type_proto(tensor)
        for dim in kind.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = self.symbols.setdefault(dim.dim_param, f"S{len(self.symbols)}")
        return helper.make_value_info(name, kind)

    def model(self) -> onnx.ModelProto:
        proto = node_proto(self.node)
        for field, tensors, stem in ((proto.input, self.node.inputs, "i"), (proto.output, self.node.outputs, "o")):
            names = [self.name(t, stem) for t in tensors]
            del field[:]
            field.extend(names)
        proto.name = ""
        attributes = sorted(proto.attribute, key=lambda a: a.name)
        del proto.attribute[:]
        proto.attribute.extend(attributes)
        distinct = {id(t): t for t in self.node.inputs if t.name}.values()
        model = helper.make_model(
            helper.make_graph(
                [proto],
                "probe",
                [self.info(t, self.tensors[id(t)]) for t in distinct if not isinstance(t, gs.Constant)],
                [self.info(t, self.tensors[id(t)]) for t in self.node.outputs if t.name],
                [_probe_tensor(t, self.tensors[id(t)]) for t in distinct if isinstance(t, gs.Constant)],
            ),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        if self.node.domain:
            model.opset_import.append(helper.make_opsetid(self.node.domain, 1))
        return model


def _probe_tensor(tensor: Tensor, name: str) -> onnx.TensorProto:
    proto = onnx.TensorProto()
    if np.prod(tensor.shape, dtype=int) > PROBE_VALUES:
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(_numpy_dtype(tensor.dtype)))
        proto.data_type = kind
        proto.dims.extend(tensor.shape)
        proto.raw_data = bytes(int(np.prod(tensor.shape, dtype=int)) * np.dtype(_numpy_dtype(tensor.dtype)).itemsize)
    else:
        proto.CopyFrom(numpy_helper.from_array(value(tensor), name))
    proto.name = name
    return proto


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
    if dtype is None:
        return None
    if isinstance(dtype, int):
        return helper.tensor_dtype_to_np_dtype(dtype) if dtype else None
    return np.dtype(dtype)


_unnamed = iter(range(10**9))


def _dimension(dim: int | str | None) -> int | str:
    """A dimension of unknown size without a name gets one of its own: unequal to every other."""
    if isinstance(dim, (int, np.integer)) and dim >= 0:
        return int(dim)
    return dim if isinstance(dim, str) and dim else f"unnamed{next(_unnamed)}"


def _index(tensors: Sequence[Tensor], wanted: Tensor) -> int:
    return next(i for i, t in enumerate(tensors) if t is wanted)


def _take_over(old: Tensor, new: Tensor) -> None:
    """Keep what is known best of a tensor that changes its producer."""
    old.dtype = new.dtype if new.dtype is not None else old.dtype
    if old.shape is None or (new.shape is not None and all(isinstance(d, int) for d in new.shape)):
        old.shape = new.shape


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
