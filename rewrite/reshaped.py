"""Names of open sizes that ONNX's inference drops: of the one that a Reshape's -1 stands for, all others being numbers;
of those that follow from what it was told later."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from math import prod

import onnx
from onnx import numpy_helper

#: What ONNX's inference calls a size that it knows nothing of.
_NAMELESS = re.compile(r"unk__\d+")


def name_reshaped(model: onnx.ModelProto) -> bool:
    """Let the sizes of such Reshapes, and of what comes of them, have their names, in place; whether there were any.

    :param model: shapes inferred as far as ONNX does.
    """
    infos = {i.name: i for i in (*model.graph.input, *model.graph.value_info)}
    constants = {i.name: i for i in model.graph.initializer}
    multiples: dict[str, tuple[str, int]] = {}
    names: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type != "Reshape" or node.domain or node.output[0] not in infos:
            continue
        shape = infos[node.output[0]].type.tensor_type.shape
        lost = [_named(d.dim_param, names) for d in shape.dim if d.dim_param]
        name, times = _open_size(node, infos, constants, multiples, names)
        if not name or len(lost) != 1 or not _NAMELESS.fullmatch(lost[0]) or name == lost[0]:
            continue
        if times > 1:
            multiples[lost[0]] = name, times
            continue
        names[lost[0]] = name
    for info in (*model.graph.value_info, *model.graph.output) if names else ():
        for dim in info.type.tensor_type.shape.dim:
            if dim.dim_param in names:
                dim.dim_param = _named(dim.dim_param, names)
    return bool(names)


def _named(size: str, names: Mapping[str, str]) -> str:
    """The name of a size, which may have been given to another one's in turn."""
    while size in names:
        size = names[size]
    return size


def forget_nameless(model: onnx.ModelProto, *, but: Collection[str]) -> None:
    """Take out the shapes of tensors with sizes that ONNX knows nothing of: it may find their names now, and else keeps
    to what stands there.

    :param but: tensors whose shapes are not ONNX's.
    """
    dims = {i.name: i.type.tensor_type.shape.dim for i in model.graph.value_info if i.name not in but}
    stale = {n for n, shape in dims.items() if any(_NAMELESS.fullmatch(d.dim_param) for d in shape)}
    left = onnx.GraphProto(value_info=[i for i in model.graph.value_info if i.name not in stale])
    del model.graph.value_info[:]
    model.graph.value_info.extend(left.value_info)


def _open_size(
    node: onnx.NodeProto,
    infos: Mapping[str, onnx.ValueInfoProto],
    constants: Mapping[str, onnx.TensorProto],
    multiples: Mapping[str, tuple[str, int]],
    known: Mapping[str, str],
) -> tuple[str, int]:
    """What -1 stands for: so many times the open size of this name; "" where it is no such.

    :param multiples: what is known of sizes without a name. :param known: names that some of them have.
    """
    given, shape = infos.get(node.input[0]), constants.get(node.input[1])
    if given is None or shape is None or not given.type.tensor_type.HasField("shape"):
        return "", 0
    dims = given.type.tensor_type.shape.dim
    names = [_named(d.dim_param, known) for d in dims if not d.HasField("dim_value")]
    target = numpy_helper.to_array(shape).tolist()
    rest = [t for t in target if t != -1]
    if len(names) != 1 or len(rest) != len(target) - 1 or min(rest, default=1) < 1:
        return "", 0
    name, times = multiples.get(names[0], (names[0], 1))
    times *= prod(d.dim_value for d in dims if d.HasField("dim_value"))
    return (name, times // prod(rest)) if times and times % prod(rest) == 0 else ("", 0)
