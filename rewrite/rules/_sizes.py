"""What a tensor of sizes holds, as far as it is numbers and symbols of inputs."""

from __future__ import annotations

import numpy as np

from rewrite.graph import Node, Shape, Tensor, shape_of, value

#: Operators that leave a list of sizes as it is.
_SAME = {"Cast", "Unsqueeze", "Squeeze", "Reshape", "Identity"}


def sizes_in(tensor: Tensor | None) -> Shape | None:
    """The elements of a tensor that is computed from constants and ``Shape`` by moving elements; None for any other.

    ``Concat(Shape(x)[:2], [8, 8])`` of x [N, 3, 4, 4] holds ``("N", 3, 8, 8)``.
    """
    if tensor is None:
        return None
    held = value(tensor)
    if held is not None:
        return tuple(int(v) for v in np.asarray(held).reshape(-1)) if held.dtype.kind in "iu" else None
    return _made(tensor.inputs[0]) if tensor.inputs else None


def _made(node: Node) -> Shape | None:
    if node.op == "Shape":
        shape = shape_of(node.inputs[0])
        return None if shape is None else shape[node.attrs.get("start", 0) : node.attrs.get("end")]
    if node.op == "Concat":
        parts = [sizes_in(t) for t in node.inputs]
        return None if None in parts else tuple(d for part in parts for d in part or ())
    first = sizes_in(node.inputs[0]) if node.inputs else None
    if first is None or node.op in _SAME:
        return first
    given = [sizes_in(t) for t in node.inputs[1:] if t.name]
    if None in given:
        return None
    numbers = [[d for d in g or () if isinstance(d, int)] for g in given]
    if node.op == "Gather":
        return tuple(first[i] for i in numbers[0])
    if node.op == "Slice" and len(numbers[0]) == 1:
        step = numbers[3][0] if len(numbers) > 3 else 1
        return first[numbers[0][0] : numbers[1][0] : step]
    return None
