"""What an operator becomes when its data are not transposed: op(Transpose(b, p)) = Transpose(op'(b), p')."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from rewrite.graph import Array, Node, Tensor, dtype_of, is_constant, shape_of, static_shape, value
from rewrite.passes._commute_reshape import reshape
from rewrite.passes._moved import Moved, Perm, inverse
from rewrite.passes._operators import ELEMENTWISE


def commute(node: Node, perm: Perm) -> Moved | None:
    """The node on what its operands, of ``perm``'s rank, were transposed from by ``perm``; None where it cannot."""
    if node.domain or any(o.name and shape_of(o) is None for o in node.outputs):
        return None
    if node.op in ELEMENTWISE:
        return _elementwise(node, perm)
    how = _OPERATORS.get(node.op)
    known = node.inputs and shape_of(node.inputs[0])
    return how(node, perm) if how is not None and known and len(known) == len(perm) else None


def _elementwise(node: Node, perm: Perm) -> Moved | None:
    operands: list[int] = []
    constants: dict[int, Callable[[], Array]] = {}
    for i, tensor in enumerate(node.inputs):
        shape = shape_of(tensor) if tensor.name else ()
        if shape is None or len(shape) > len(perm):
            return None
        if all(d == 1 for d in shape):
            continue  # it meets every element, in any layout
        if is_constant(tensor):
            constants[i] = partial(_laid_out, tensor, perm)
        elif len(shape) == len(perm):
            operands.append(i)
        else:
            return None
    return Moved((perm,), tuple(operands), constants=constants) if operands else None


def _laid_out(tensor: Tensor, perm: Perm) -> Array:
    array = np.asarray(value(tensor))
    return array.reshape((1,) * (len(perm) - array.ndim) + array.shape).transpose(inverse(perm))


def _along_axis(node: Node, perm: Perm) -> Moved:
    axis = perm[node.attrs.get("axis", -1) % len(perm)]
    return Moved(tuple(perm for _ in node.outputs), attrs={"axis": axis})


def _concat(node: Node, perm: Perm) -> Moved:
    operands = tuple(i for i, t in enumerate(node.inputs) if not is_constant(t))
    constants: dict[int, Callable[[], Array]] = {
        i: partial(_laid_out, t, perm) for i, t in enumerate(node.inputs) if is_constant(t)
    }
    return Moved((perm,), operands, {"axis": perm[node.attrs["axis"] % len(perm)]}, constants)


def _axes(node: Node, index: int, rank: int) -> list[int] | None:
    """The axes that input ``index`` names, counted from the front; None where they are not known."""
    held = value(node.inputs[index]) if len(node.inputs) > index else None
    return None if held is None else [int(a) % rank for a in held.reshape(-1)]


def _without(perm: Perm, gone: Sequence[int]) -> Perm:
    """What is left of a transposition where the axes ``gone``, as they are counted behind it, are taken out."""
    left = [perm[k] for k in range(len(perm)) if k not in gone]
    return tuple(int(k) for k in np.argsort(np.argsort(left))) if left else ()


def _int64(values: Sequence[int]) -> Callable[[], Array]:
    return lambda: np.array(list(values), np.int64)


def _reduce(node: Node, perm: Perm) -> Moved | None:
    named = len(node.inputs) > 1 and bool(node.inputs[1].name)
    axes = _axes(node, 1, len(perm)) if named else list(range(len(perm)))
    if axes is None or (not axes) or (not named and node.attrs.get("noop_with_empty_axes")):
        return None
    left = perm if node.attrs.get("keepdims", 1) else _without(perm, axes)
    moved = _int64(sorted(perm[a] for a in axes))
    return Moved((left,), constants={1: moved} if named else {})


def _arg(node: Node, perm: Perm) -> Moved:
    axis = node.attrs.get("axis", 0) % len(perm)
    left = perm if node.attrs.get("keepdims", 1) else _without(perm, [axis])
    return Moved((left,), attrs={"axis": perm[axis]})


def _squeeze(node: Node, perm: Perm) -> Moved | None:
    axes = _axes(node, 1, len(perm))
    if axes is None:
        return None
    return Moved((_without(perm, axes),), constants={1: _int64(sorted(perm[a] for a in axes))})


def _unsqueeze(node: Node, perm: Perm) -> Moved | None:
    rank = len(shape_of(node.outputs[0]) or ())
    axes = _axes(node, 1, rank)
    if axes is None:
        return None
    # a new axis stays beside the one before it: which of them a Reshape merges it with is told by the order
    blocks: list[list[int]] = [[]]
    for k in range(rank):
        if k in axes:
            blocks[-1].append(k)
        else:
            blocks.append([k])
    placed = [*blocks[0], *(k for j in inverse(perm) for k in blocks[1 + j])]
    moved = _int64([i for i, k in enumerate(placed) if k in axes])
    return Moved((inverse(tuple(placed)),), constants={1: moved})


def _pad(node: Node, perm: Perm) -> Moved | None:
    pads = value(node.inputs[1])
    if pads is None:
        return None
    if len(node.inputs) > 3 and node.inputs[3].name:
        axes = _axes(node, 3, len(perm))
        return None if axes is None else Moved((perm,), constants={3: _int64([perm[a] for a in axes])})
    back = list(inverse(perm))
    return Moved((perm,), constants={1: lambda: pads.reshape(2, -1)[:, back].reshape(-1)})


def _slice(node: Node, perm: Perm) -> Moved | None:
    if len(node.inputs) > 3 and node.inputs[3].name:
        axes = _axes(node, 3, len(perm))
    else:
        return None
    return None if axes is None else Moved((perm,), constants={3: _int64([perm[a] for a in axes])})


def _per_axis(*inputs: int) -> Callable[[Node, Perm], Moved | None]:
    """Operators whose inputs ``inputs`` hold, where they are there, one number for each axis."""

    def how(node: Node, perm: Perm) -> Moved | None:
        constants: dict[int, Callable[[], Array]] = {}
        for i, tensor in enumerate(node.inputs[1:], 1):
            if not tensor.name or tensor.shape == (0,):
                continue
            held = value(tensor)
            if i not in inputs or held is None or held.size != len(perm) or node.attrs.get("axes"):
                return None
            constants[i] = partial(lambda array: array[list(inverse(perm))], held)
        return Moved((perm,), constants=constants)

    return how


def _matmul(node: Node, perm: Perm) -> Moved | None:
    """MatMul(Transpose(b), w) = Transpose(Conv(b, w')), channels last, by one element: w'[d, c, 0, ...] = w[c, d]"""
    weight, spatial = node.inputs[1], (shape_of(node.inputs[0]) or ())[1:-1]
    shape, dtype = static_shape(weight), dtype_of(node.outputs[0])
    if perm[0] != 0 or perm[-1] != 1 or len(spatial) not in (1, 2, 3) or dtype is None or dtype.kind != "f":
        return None
    # sizes of an image that are known only at run time are more than a convolution may take
    if not is_constant(weight) or shape is None or len(shape) != 2 or not all(isinstance(d, int) for d in spatial):
        return None
    ones = [1] * len(spatial)
    attrs = {"kernel_shape": [*ones], "strides": [*ones], "dilations": [*ones], "pads": [0, 0] * len(spatial)}

    def kernel() -> Array:
        return np.asarray(value(weight)).T.reshape(shape[1], shape[0], *ones)

    return Moved((perm,), attrs={**attrs, "group": 1, "auto_pad": "NOTSET"}, constants={1: kernel}, op="Conv")


_OPERATORS: dict[str, Callable[[Node, Perm], Moved | None]] = {
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "LpNormalization"), _along_axis),
    **dict.fromkeys(
        (
            *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin"),
            *("ReduceProd", "ReduceSum", "ReduceSumSquare"),
        ),
        _reduce,
    ),
    **dict.fromkeys(("ArgMax", "ArgMin"), _arg),
    **dict.fromkeys(("Reshape", "Flatten"), reshape),
    "MatMul": _matmul,
    "Split": _along_axis,
    "Concat": _concat,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Pad": _pad,
    "Slice": _slice,
    "Tile": _per_axis(1),
    "Resize": _per_axis(2, 3),
}
