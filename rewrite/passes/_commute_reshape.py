"""Reshape and Flatten of what was transposed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod

import numpy as np

from rewrite.graph import Array, Node, Shape, shape_of, value
from rewrite.passes._features import Reordered, features_taken_in, order_of
from rewrite.passes._moved import Moved, Perm, inverse, keeps_order


def reshape(node: Node, perm: Perm) -> Moved | None:
    """The same row of numbers, where only axes of size 1 moved; axes merged and split that stay beside each other; or a
    flattening whose readers' weights can move.
    """
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
    if keeps_order(before, perm):
        return Moved((left,), constants=_shape_input(node, target))
    rows = _flattened(node, perm, x, out)
    if rows is not None:
        constants = _shape_input(node, target)
        return Moved((left,), constants=constants, weights=rows.changes, reordered=rows.tensors)
    return _in_blocks(node, perm, x, out)


def _shape_input(node: Node, target: list[int]) -> dict[int, Callable[[], Array]]:
    return {1: lambda: np.array(target, np.int64)} if node.op == "Reshape" else {}


def _target(node: Node, out: Shape) -> list[int] | None:
    """The shape that a Reshape is given, in numbers that do not refer to the axes of its input."""
    if node.op == "Flatten":
        return []
    held = value(node.inputs[1])
    given = None if held is None else [int(d) for d in held]
    if given is not None and (node.attrs.get("allowzero") or 0 not in given):
        return given
    return _numbers(out)


def _numbers(shape: Sequence[int | str]) -> list[int] | None:
    """The shape as a constant, if one can give it."""
    sizes = [d if isinstance(d, int) else -1 for d in shape]
    return sizes if sizes.count(-1) < 2 and 0 not in sizes else None


def _flattened(node: Node, perm: Perm, x: Shape, out: Shape) -> Reordered | None:
    """Flatten(Transpose(b)) W = Flatten(b) W', W' in b's order."""
    rest = [d for d in x[1:] if isinstance(d, int)]
    if perm[0] != 0 or len(out) != 2 or len(rest) != len(x) - 1 or out[1] != prod(rest) or not prod(rest):
        return None
    back = tuple(k - 1 for k in inverse(perm)[1:])
    return features_taken_in(node.outputs[0], order_of(rest, back))


# ------------------------------------------------------------------------------------------------------------ blocks

#: Neighbouring axes that become other neighbouring axes: how many before, and their sizes behind.
_Block = tuple[int, tuple[int | str, ...]]


def _in_blocks(node: Node, perm: Perm, x: Shape, out: Shape) -> Moved | None:
    """Reshape(Transpose(b)) = Transpose(Reshape(b)), where axes that are merged or split are neighbours in b too."""
    blocks = _blocks(x, out) if node.op == "Reshape" else None
    if blocks is None:
        return None
    placed: list[tuple[int, int, tuple[int | str, ...]]] = []  # place in b, place in the result, sizes
    start = behind = 0
    for count, sizes in blocks:
        axes = perm[start : start + count]
        if any(b != a + 1 for a, b in pairwise(axes)):
            return None
        placed.append((axes[0] if axes else -1, behind, sizes))
        start, behind = start + count, behind + len(sizes)
    placed.sort(key=lambda block: block[0])
    target = _numbers([d for _, _, sizes in placed for d in sizes])
    came = [k for _, first, sizes in placed for k in range(first, first + len(sizes))]
    if target is None:
        return None
    return Moved((tuple(int(k) for k in np.argsort(came)),), constants={1: lambda: np.array(target, np.int64)})


def reshaped_behind(node: Node, perm: Perm) -> tuple[Moved, Perm] | None:
    """Transpose(Reshape(x), perm) = Reshape'(Transpose(x, perm')): what the Reshape becomes, and perm'."""
    x, out = (shape_of(t) or () for t in (node.inputs[0], node.outputs[0]))
    target = _numbers([out[k] for k in perm])
    blocks = _blocks(x, out)
    if target is None or blocks is None:
        return None
    before: list[int] = []
    places: list[list[int]] = []  # per block, where its axes stand behind the transposition; and the axes it is made of
    made: list[list[int]] = []
    start = behind = 0
    for count, sizes in blocks:
        places.append([perm.index(k) for k in range(behind, behind + len(sizes))])
        made.append(list(range(start, start + count)))
        start, behind = start + count, behind + len(sizes)
    if any(b != a + 1 for place in places for a, b in pairwise(place)) or not all(places):
        return None
    for _, axes in sorted(zip(places, made, strict=True)):
        before += axes
    return Moved((perm,), constants={1: lambda: np.array(target, np.int64)}), tuple(before)


def _blocks(x: Shape, out: Shape) -> list[_Block] | None:
    """A Reshape as one of each block of axes by itself, as fine as it goes; sizes without a number go in one block."""
    front = _front(x, out)
    used, made = sum(n for n, _ in front), sum(len(s) for _, s in front)
    rest, wanted = x[used:], out[made:]
    back = [(n, s[::-1]) for n, s in _front(rest[::-1], wanted[::-1])][::-1]
    used, made = sum(n for n, _ in back), sum(len(s) for _, s in back)
    middle = (len(rest) - used, tuple(wanted[: len(wanted) - made]))
    return [*front, *([middle] if middle != (0, ()) else []), *back] if middle[0] or not middle[1] else None


def _front(x: Sequence[int | str], out: Sequence[int | str]) -> list[_Block]:
    """Blocks from the front, as far as sizes have numbers or are the same symbol."""
    blocks: list[_Block] = []
    i = j = 0
    while i < len(x) and j < len(out):
        first, behind = i, j
        i, j = (i + 1, j + 1) if x[i] == out[j] else _product(x, out, i, j)
        if i == first:
            return blocks
        if i < len(x) and x[i] != 1:
            while j < len(out) and out[j] == 1:
                j += 1  # an axis of size 1 that is new stays beside the one before it
        blocks.append((i - first, tuple(out[behind:j])))
    return blocks


def _product(x: Sequence[int | str], out: Sequence[int | str], i: int, j: int) -> tuple[int, int]:
    """Up to where the sizes from ``i`` and ``j`` on have the same product; ``i``, ``j`` where that is not known."""
    first, behind = i, j
    p = q = 1
    while p != q or i == first or j == behind:
        sizes, k = (x, i) if p <= q else (out, j)
        size = sizes[k] if k < len(sizes) else ""
        if not isinstance(size, int):
            return first, behind
        if p <= q:
            p, i = p * size, i + 1
        else:
            q, j = q * size, j + 1
    return i, j
