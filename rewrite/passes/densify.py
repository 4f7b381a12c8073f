"""Sparse constants become dense ones."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from convert.errors import BadModel
from rewrite.origin import Origin
from rewrite.protos import graphs

#: Kinds of attributes that no operator on tensors has, and that graphsurgeon would drop.
_FOREIGN = {"TYPE_PROTO", "TENSORS", "GRAPHS", "SPARSE_TENSORS", "TYPE_PROTOS"}


def densify(model: onnx.ModelProto) -> None:
    """Write out sparse initializers and Constants, in place.

    :raises BadModel: an attribute of a kind that only operators on optionals and their like have.
    """
    for graph in graphs(model.graph):
        for sparse in graph.sparse_initializer:
            graph.initializer.append(_dense(sparse))
        del graph.sparse_initializer[:]
        for node in graph.node:
            for attribute in node.attribute:
                kind = onnx.AttributeProto.AttributeType.Name(attribute.type)
                if kind in _FOREIGN:
                    what = f"{node.op_type} has the attribute {attribute.name!r} of the kind {kind}"
                    raise BadModel(what, where=str(Origin.of(node)), why="only tensors can be computed with here")
                if kind == "SPARSE_TENSOR":
                    dense = _dense(attribute.sparse_tensor)
                    attribute.CopyFrom(onnx.helper.make_attribute(attribute.name.removeprefix("sparse_"), dense))


def _dense(sparse: onnx.SparseTensorProto) -> onnx.TensorProto:
    """Indices are positions in the flat tensor, or one row of coordinates a value."""
    values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    array = np.zeros(tuple(sparse.dims), values.dtype)
    array[np.unravel_index(indices, array.shape) if indices.ndim == 1 else tuple(indices.T)] = values
    return numpy_helper.from_array(array, sparse.values.name)
