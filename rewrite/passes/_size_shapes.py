"""Shapes that operators give, in numbers and expressions of sizes, where ONNX's inference knows numbers alone."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, Protocol

from rewrite.graph import Node, Tensor, shape_of
from rewrite.passes._size_values import Values, divided
from rewrite.passes.plain_slices import END


class Sizes(Protocol):
    """What is known of tensors so far."""

    def of(self, tensor: Tensor | None) -> Values | None:
        """The tensor's values, constant or followed."""

    def shape(self, tensor: Tensor) -> list[Any] | None:
        """The tensor's sizes as numbers and expressions."""


def _reshape(known: Sizes, node: Node) -> list[Any] | None:
    before, wanted = known.shape(node.inputs[0]), known.of(node.inputs[1])
    if before is None or wanted is None:
        return None
    keep = not node.attrs.get("allowzero", 0)
    sizes = [before[k] if keep and isinstance(d, int) and d == 0 else d for k, d in enumerate(wanted.tolist())]
    open_axes = [k for k, d in enumerate(sizes) if isinstance(d, int) and d == -1]
    if len(open_axes) == 1:
        rest = divided(prod(before), prod(d for k, d in enumerate(sizes) if k != open_axes[0]))
        if rest is None:
            return None
        sizes[open_axes[0]] = rest
    return sizes


def _expand(known: Sizes, node: Node) -> list[Any] | None:
    before, wanted = known.shape(node.inputs[0]), known.of(node.inputs[1])
    if before is None or wanted is None:
        return None
    asked = wanted.tolist()
    rank = max(len(before), len(asked))
    pairs = zip([1] * (rank - len(before)) + before, [1] * (rank - len(asked)) + asked, strict=True)
    return [b if a == 1 or a == b else a if b == 1 else b if isinstance(b, int) else a for b, a in pairs]


def _of_shape(known: Sizes, node: Node) -> list[Any] | None:
    wanted = known.of(node.inputs[0])
    return None if wanted is None else wanted.tolist()


def _tile(known: Sizes, node: Node) -> list[Any] | None:
    before, repeats = known.shape(node.inputs[0]), known.of(node.inputs[1])
    return None if before is None or repeats is None else [a * b for a, b in zip(before, repeats.tolist(), strict=True)]


def _range(known: Sizes, node: Node) -> list[Any] | None:
    start, limit, step = (known.of(t) for t in node.inputs)
    if start is None or limit is None or step is None or step.item() != 1:
        return None
    return [limit.item() - start.item()]


def _joined(known: Sizes, node: Node) -> list[Any] | None:
    """Concat: the sum of the sizes along its axis."""
    parts = [known.shape(t) for t in node.inputs]
    after = shape_of(node.outputs[0])
    if any(p is None for p in parts) or after is None:
        return None
    axis = node.attrs["axis"] % len(after)
    sizes = list(parts[0] or ())
    sizes[axis] = sum(p[axis] for p in parts if p is not None)
    return [d if isinstance(d, int) else sizes[k] for k, d in enumerate(after)]


def _cut(known: Sizes, node: Node) -> list[Any] | None:
    """Slice by steps of one: what a bound cuts off is known where its sign is."""
    before, bounds = known.shape(node.inputs[0]), [known.of(t) for t in node.inputs[1:]]
    if before is None or any(b is None for b in bounds) or len(bounds) < 3:
        return None
    starts, ends, axes = ([*b.tolist()] for b in bounds[:3] if b is not None)
    steps = bounds[3].tolist() if len(bounds) > 3 and bounds[3] is not None else [1] * len(axes)
    sizes = list(before)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = before[axis]
        first, last = (_bound(b, size) for b in (start, end))
        if step != 1 or first is None or last is None:
            return None
        sizes[axis] = last - first
    return sizes


def _bound(given: Any, size: Any) -> Any:
    """A bound of a slice, counted from the front and no farther than the end; None where that is not decided."""
    import sympy

    bound = sympy.sympify(given)
    if bound.is_number and bound >= END:
        return size
    if bound.is_negative:
        bound += size
    if (bound - size).is_nonnegative:
        return size
    if bound.is_negative:
        return 0
    return bound if bound.is_nonnegative and (sympy.sympify(size) - bound).is_nonnegative else None


def _top_k(known: Sizes, node: Node) -> list[Any] | None:
    sizes, count = known.shape(node.inputs[0]), known.of(node.inputs[1])
    if sizes is None or count is None:
        return None
    sizes[node.attrs.get("axis", -1)] = count.item()
    return sizes


def _windows(known: Sizes, node: Node) -> list[Any] | None:
    """Convolutions and pools by steps of one: the size, its padding, and less by all but one of a window's."""
    before, kernel = known.shape(node.inputs[0]), node.attrs.get("kernel_shape")
    if before is None or not kernel or node.attrs.get("auto_pad", "NOTSET") not in ("NOTSET", b"NOTSET"):
        return None
    count = len(kernel)
    pads, steps = node.attrs.get("pads") or [0] * 2 * count, node.attrs.get("strides") or [1] * count
    wide = node.attrs.get("dilations") or [1] * count
    if any(s != 1 and not isinstance(d, int) for s, d in zip(steps, before[2:], strict=True)):
        return None
    after = [d if isinstance(d, int) else None for d in shape_of(node.outputs[0]) or ()]
    if len(after) != len(before):
        return None
    sizes = [
        after[axis + 2]
        if isinstance(size, int)
        else size + pads[axis] + pads[axis + count] - wide[axis] * (kernel[axis] - 1)
        for axis, size in enumerate(before[2:])
    ]
    channels = after[1] if node.op == "Conv" else before[1]
    return [before[0], channels, *sizes] if all(s is not None for s in (channels, *sizes)) else None


#: The shape of an operator's outputs; None where it is not decided.
SHAPES: dict[str, Callable[[Sizes, Node], list[Any] | None]] = {
    "Reshape": _reshape,
    "Expand": _expand,
    "ConstantOfShape": _of_shape,
    "Tile": _tile,
    "Range": _range,
    "Concat": _joined,
    "Slice": _cut,
    "TopK": _top_k,
    **dict.fromkeys(("Conv", "MaxPool", "AveragePool", "LpPool"), _windows),
}
