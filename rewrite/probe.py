"""A node, or a few, as a model of its own: what a target is asked about, and what its verdicts are kept by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from rewrite.graph import (
    IR_VERSION,
    OPSET,
    SMALL,
    Array,
    Node,
    Tensor,
    dtype_of,
    is_constant,
    node_proto,
    shape_of,
    type_proto,
    value,
)

#: Floats in a constant that may be more than a weight: bounds, scales of axes, the values of a one-hot vector.
FEW = 16

#: The shape of a single number, in a probe.
_NO_AXES = "no_axes"


class Probe:
    """Builds a model of a few nodes with names that do not depend on the graph around them.

    :param nodes: in order; mostly one, and what is judged together with it.
    :param outputs: the tensors that the model gives.
    :param foreign: versions of domains that are not ONNX's own.
    :param made: whether numbers without axes that a node computes are computed here too. A target may hold such a
        one otherwise than one that it is given.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        outputs: Sequence[Tensor],
        foreign: Sequence[onnx.OperatorSetIdProto] = (),
        *,
        made: bool = False,
    ) -> None:
        self.nodes = nodes
        self.outputs = outputs
        self.made = made
        self.versions = {i.domain: i.version for i in foreign}
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
        protos = [self._proto(node) for node in self.nodes]
        made = {id(t): t for node in self.nodes for t in node.outputs if t.name}
        read = {id(t): t for node in self.nodes for t in node.inputs if t.name and id(t) not in made}
        given = {id(t) for t in self.outputs}
        single = {k: t for k, t in read.items() if self.made and is_computed_number(t)}
        inner = [t for k, t in (single | made).items() if k not in given]
        model = helper.make_model(
            helper.make_graph(
                [*(self._computed(t) for t in single.values()), *protos],
                "probe",
                [self._input(t) for t in read.values() if not is_constant(t)],
                [self.info(t, self.tensors[id(t)]) for t in self.outputs if t.name],
                [
                    *(_probe_tensor(t, self.tensors[id(t)]) for t in read.values() if is_constant(t)),
                    *([numpy_helper.from_array(np.empty(0, np.int64), _NO_AXES)] if single else []),
                ],
                value_info=[self.info(t, self.tensors[id(t)]) for t in inner],
            ),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        for domain in sorted({node.domain for node in self.nodes if node.domain}):
            model.opset_import.append(helper.make_opsetid(domain, self.versions.get(domain, 1)))
        return model

    def _input(self, tensor: Tensor) -> onnx.ValueInfoProto:
        """What the model is given for a tensor that its nodes read: for a number that it makes, a row of one."""
        info = self.info(tensor, self.tensors[id(tensor)])
        if self.made and is_computed_number(tensor):
            info.name = _row(info.name)
            info.type.tensor_type.shape.dim.add().dim_value = 1
        return info

    def _computed(self, tensor: Tensor) -> onnx.NodeProto:
        """A node that makes the number."""
        name = self.tensors[id(tensor)]
        return helper.make_node("Reshape", [_row(name), _NO_AXES], [name], allowzero=0)

    def _proto(self, node: Node) -> onnx.NodeProto:
        proto = node_proto(node)
        for field, tensors, stem in ((proto.input, node.inputs, "i"), (proto.output, node.outputs, "o")):
            names = [self.name(t, stem) for t in tensors]
            del field[:]
            field.extend(names)
        proto.name = ""
        attributes = sorted(proto.attribute, key=lambda a: a.name)
        del proto.attribute[:]
        proto.attribute.extend(attributes)
        return proto


def is_computed_number(tensor: Tensor) -> bool:
    """Is it a tensor without axes that a node makes?"""
    return bool(tensor.inputs) and tensor.dtype is not None and shape_of(tensor) == ()


def _row(name: str) -> str:
    return f"{name}_row"


def _probe_tensor(tensor: Tensor, name: str) -> onnx.TensorProto:
    """A constant; a weight enters by its type and shape alone, its numbers marked as being elsewhere."""
    array, dtype = _shown(tensor), dtype_of(tensor)
    if array is not None:
        return numpy_helper.from_array(array, name)
    assert dtype is not None
    return onnx.TensorProto(
        name=name,
        data_type=helper.np_dtype_to_tensor_dtype(dtype),
        dims=tensor.shape,
        data_location=onnx.TensorProto.EXTERNAL,
    )


def _shown(tensor: Tensor) -> Array | None:
    """The value where legality may hang on it: a large constant's never does, nor do ordinary floats in a row."""
    count = int(np.prod(tensor.shape, dtype=int))
    array = value(tensor) if count <= SMALL else None
    ordinary = array is not None and array.dtype == np.float32 and count > FEW and np.isfinite(array).all()
    return None if ordinary else array


def filled(probe: onnx.ModelProto, numbers: Callable[[tuple[int, ...], np.dtype[Any]], Array]) -> onnx.ModelProto:
    """A copy of the probe in which weights have numbers: :func:`numpy.zeros` where only their type matters."""
    copied = onnx.ModelProto()
    copied.CopyFrom(probe)
    for tensor in copied.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            array = numbers(tuple(tensor.dims), helper.tensor_dtype_to_np_dtype(tensor.data_type))
            tensor.ClearField("data_location")
            tensor.raw_data = numpy_helper.from_array(array).raw_data
    return copied
