"""What nodes of custom operators give: dtypes and shapes, by their declarations' shape functions.

ONNX's inference stops at a node of a domain that it does not know. Here it goes on behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from convert.custom import CustomOperator, Tensor, declared
from convert.dimensions import Counted, dimension, expression
from convert.errors import BadOperator

#: Constants with up to this many elements are shown to shape functions.
_SHOWN = 1024


def infer_declared(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Dtypes and shapes of what declared nodes give whose inputs' are known, and that are not in the model yet."""
    types = {
        i.name: i.type
        for i in (*model.graph.input, *model.graph.value_info, *model.graph.output)
        if i.type.tensor_type.elem_type and i.type.tensor_type.HasField("shape")
    }
    held = {i.name for i in model.graph.value_info}
    constants = {i.name: i for i in model.graph.initializer}
    types |= {n: helper.make_tensor_type_proto(i.data_type, i.dims) for n, i in constants.items()}
    found: list[onnx.ValueInfoProto] = []
    for node in model.graph.node:
        operator = declared(node.domain, node.op_type)
        if operator is None or any(n and n not in types for n in node.input) or held.issuperset(node.output):
            continue
        inputs = [tensor_of(types[n], constants.get(n)) if n else None for n in node.input]
        for name, given in zip(node.output, outputs_of(operator, node, inputs), strict=True):
            if name and name not in held:
                found.append(helper.make_value_info(name, _type(given)))
                types[name] = found[-1].type
    return found


def outputs_of(operator: CustomOperator, node: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> list[Tensor]:
    """Outputs of a node, sizes as ONNX has them: a counted one is a name of the node's own.

    :raises BadOperator: the shape function failed, or gave another number of outputs.
    """
    return outputs_for(operator, attributes_of(node), inputs, list(node.output))


def outputs_for(
    operator: CustomOperator, attributes: Mapping[str, Any], inputs: Sequence[Tensor | None], names: Sequence[str]
) -> list[Tensor]:
    """:func:`outputs_of` for attributes and the outputs' names."""
    given = operator.outputs(inputs, attributes)
    if len(given) < len(names):
        what = f"the shape function of {operator.full_name} gives {len(given)} outputs, the node has {len(names)}"
        raise BadOperator(what, where=operator.place)
    stem = next((n for n in names if n), operator.name)
    return [Tensor(t.dtype, tuple(_size(d, stem, operator) for d in t.shape)) for t in given[: len(names)]]


def counted_name(stem: str, counted: Counted) -> str:
    """The name of a counted size of the node whose first output is ``stem``."""
    return f"{stem}#{counted.name}"


def _size(given: Any, stem: str, operator: CustomOperator) -> int | str:
    if isinstance(given, Counted):
        return counted_name(stem, given)
    try:
        return dimension(given)
    except (ValueError, TypeError, AttributeError) as error:  # sympy's, of what it cannot read
        what = f"the shape function of {operator.full_name} gives the size {given!r}"
        raise BadOperator(
            what, where=operator.place, advice="a size is a whole number, or made of sizes by + - * // %"
        ) from error


def tensor_of(kind: onnx.TypeProto, constant: onnx.TensorProto | None = None) -> Tensor:
    """As a shape function sees it. An open size without a name is unequal to every other."""
    dims = kind.tensor_type.shape.dim
    shape = [d.dim_value if d.HasField("dim_value") else expression(d.dim_param or f"?{id(d)}") for d in dims]
    shown = constant is not None and np.prod(constant.dims, dtype=int) <= _SHOWN
    if constant is not None and constant.data_location == onnx.TensorProto.EXTERNAL:
        shown = False  # a probe leaves it out
    value = numpy_helper.to_array(constant) if shown and constant is not None else None
    return Tensor(str(helper.tensor_dtype_to_np_dtype(kind.tensor_type.elem_type)), tuple(shape), value)


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes as Python's values: str for text, NumPy arrays for tensors."""
    return dict(_attributes(node))


def _attributes(node: onnx.NodeProto) -> Iterator[tuple[str, Any]]:
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if attribute.type == onnx.AttributeProto.TENSOR:
            value = numpy_helper.to_array(value)
        elif attribute.type == onnx.AttributeProto.STRING:
            value = value.decode(errors="replace")
        elif attribute.type == onnx.AttributeProto.STRINGS:
            value = [v.decode(errors="replace") for v in value]
        yield attribute.name, value


def _type(tensor: Tensor) -> onnx.TypeProto:
    import ml_dtypes  # noqa: F401 - numpy knows bfloat16 by it

    return helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype)), tensor.shape)
