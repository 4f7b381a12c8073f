"""One node as a model of its own: what a target is asked about, and what its verdicts are kept by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from rewrite.graph import IR_VERSION, OPSET, SMALL, Node, Tensor, dtype_of, is_constant, node_proto, type_proto, value


class Probe:
    """Builds a one-node model with names that do not depend on the graph around it.

    :param foreign: versions of domains that are not ONNX's own.
    """

    def __init__(self, node: Node, foreign: Sequence[onnx.OperatorSetIdProto] = ()) -> None:
        self.node = node
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
                [self.info(t, self.tensors[id(t)]) for t in distinct if not is_constant(t)],
                [self.info(t, self.tensors[id(t)]) for t in self.node.outputs if t.name],
                [_probe_tensor(t, self.tensors[id(t)]) for t in distinct if is_constant(t)],
            ),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        if self.node.domain:
            model.opset_import.append(helper.make_opsetid(self.node.domain, self.versions.get(self.node.domain, 1)))
        return model


def _probe_tensor(tensor: Tensor, name: str) -> onnx.TensorProto:
    """A large constant enters by its shape alone, as zeros: no operator's legality hangs on its values."""
    count, dtype = int(np.prod(tensor.shape, dtype=int)), dtype_of(tensor)
    if count > SMALL and dtype is not None:
        return onnx.TensorProto(
            name=name,
            data_type=helper.np_dtype_to_tensor_dtype(dtype),
            dims=tensor.shape,
            raw_data=bytes(count * dtype.itemsize),
        )
    array = value(tensor)
    assert array is not None
    return numpy_helper.from_array(array, name)
