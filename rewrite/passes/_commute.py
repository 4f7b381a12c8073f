"""What an operator becomes when its data are not transposed: op(Transpose(b, p)) = Transpose(op'(b), p')."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any, TypeAlias

import numpy as np

from rewrite.graph import Array, Node, Shape, Tensor, is_constant, shape_of, static_shape, value

#: Axis k of the transposed tensor is axis perm[k] of the tensor it is made from.
Perm: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Moved:
    """The node on untransposed data.

    :param perms: per output, the transposition that is left to do behind it.
    :param operands: inputs that have to be untransposed, all by the same perm.
    :param attrs: attributes that change.
    :param constants: inputs that become other constants.
    :param weights: constants of nodes behind this one that change: node, input, value.
    """

    perms: tuple[Perm, ...]
    operands: tuple[int, ...] = (0,)
    attrs: dict[str, Any] = field(default_factory=dict)
    constants: dict[int, Callable[[], Array]] = field(default_factory=dict)
    weights: tuple[tuple[Node, int, Callable[[], Array]], ...] = ()


_UNARY = {
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast", "Ceil", "Celu", "Cos", "Cosh"),
    *("Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu"),
    *("Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh"),
    *("Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu"),
}
_BROADCAST = {
    *("Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Clip", "Div", "Equal", "Greater"),
    *("GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Sum"),
    *("Where", "Xor"),
}
#: Each element by itself: as fast in one layout as in any other.
ELEMENTWISE = frozenset(_UNARY | _BROADCAST)
#: Those, and what moves no number at all.
INDIFFERENT = ELEMENTWISE | {"Squeeze", "Unsqueeze"}


def identity(perm: Perm) -> bool:
    return perm == tuple(range(len(perm)))


def inverse(perm: Perm) -> Perm:
    return tuple(int(k) for k in np.argsort(perm))


def compose(first: Perm, then: Perm) -> Perm:
    """Transpose(Transpose(x, first), then) = Transpose(x, compose(first, then))"""
    return tuple(first[k] for k in then)


def keeps_order(shape: Shape, perm: Perm) -> bool:
    """Do only axes of size 1 move? ``shape`` is that of the tensor before."""
    order = [k for k in perm if shape[k] != 1]
    return order == sorted(order)


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
    old = [k for k in range(rank) if k not in axes]
    return Moved((tuple(k if k in axes else old[perm[old.index(k)]] for k in range(rank)),))


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


def _reshape(node: Node, perm: Perm) -> Moved | None:
    """The same row of numbers, where only axes of size 1 moved; or a flattening whose readers' weights can move."""
    x = shape_of(node.inputs[0]) or ()
    out = shape_of(node.outputs[0]) or ()
    before = tuple(x[k] for k in inverse(perm))
    left = tuple(range(len(out)))
    target = _target(node, out)
    if target is None:
        return None
    if node.op == "Flatten":
        axis = node.attrs.get("axis", 1)
        if sorted(perm[:axis]) != list(range(axis)):
            return None
    constants = {1: _int64(target)} if node.op == "Reshape" else {}
    if keeps_order(before, perm):
        return Moved((left,), constants=constants)
    weights = _flattened(node, perm, x, out)
    return None if weights is None else Moved((left,), constants=constants, weights=weights)


def _target(node: Node, out: Shape) -> list[int] | None:
    """The shape that a Reshape is given, in numbers that do not refer to the axes of its input."""
    if node.op == "Flatten":
        return []
    held = value(node.inputs[1])
    if held is None:
        return None
    given = [int(d) for d in held]
    if node.attrs.get("allowzero") or 0 not in given:
        return given
    sizes = [d if isinstance(d, int) else -1 for d in out]
    return sizes if sizes.count(-1) < 2 else None


def _flattened(
    node: Node, perm: Perm, x: Shape, out: Shape
) -> tuple[tuple[Node, int, Callable[[], Array]], ...] | None:
    """Flatten(Transpose(b)) W = Flatten(b) W', W' in b's order, where only products with constants read it."""
    rest = [d for d in x[1:] if isinstance(d, int)]
    if perm[0] != 0 or len(out) != 2 or len(rest) != len(x) - 1 or out[1] != prod(rest) or not prod(rest):
        return None
    readers = node.outputs[0].outputs
    found = []
    for reader in readers:
        if reader.op not in ("MatMul", "Gemm") or reader.domain or reader.attrs.get("transA"):
            return None
        weight = reader.inputs[1]
        shape = static_shape(weight)
        if reader.inputs[0] is not node.outputs[0] or not is_constant(weight) or shape is None or len(shape) != 2:
            return None
        across = bool(reader.attrs.get("transB"))
        if shape[int(across)] != prod(rest) or any(t is node.outputs[0] for t in reader.inputs[1:]):
            return None
        found.append((reader, 1, partial(_reordered, weight, perm, rest, across=across)))
    return tuple(found) if found else None


def _reordered(weight: Tensor, perm: Perm, rest: list[int], *, across: bool) -> Array:
    array = np.asarray(value(weight))
    rows = array.T if across else array
    back = [k - 1 for k in inverse(perm)[1:]]
    moved = rows.reshape(*rest, rows.shape[1]).transpose(*back, len(rest)).reshape(rows.shape)
    return moved.T if across else moved


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
    **dict.fromkeys(("Reshape", "Flatten"), _reshape),
    "Split": _along_axis,
    "Concat": _concat,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Pad": _pad,
    "Slice": _slice,
    "Tile": _per_axis(1),
    "Resize": _per_axis(2, 3),
}
