"""Slice and Split with every bound written out."""

from __future__ import annotations

import numpy as np

from rewrite.graph import Shape, Tensor
from rewrite.passes.plain_slices import END
from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._shapes import integers, normal_axes, places, take


@rule("Slice", cases=[
    case("(float[2,3,5] x) => (float[2,3,3] y) <int64[1] a = {0}, int64[1] b = {5}, int64[1] c = {2}, int64[1] d = {2}>"
         " { y = Slice(x, a, b, c, d) }"),
    case("(int64[6,4] x) => (int64[2,2] y) <int32[2] a = {0, 1}, int32[2] b = {4, 5}, int32[2] c = {0, -1},"
         " int32[2] d = {2, 2}> { y = Slice(x, a, b, c, d) }"),
    case("(float[2,6] x) => (float[2,2] y) <int64[1] a = {-2}, int64[1] b = {2}, int64[1] c = {1}, int64[1] d = {-1}>"
         " { y = Slice(x, a, b, c, d) }"),
    case("(bool[7] x) => (bool[4] y) <int64[1] a = {-1}, int64[1] b = {-9223372036854775807}, int64[1] c = {0},"
         " int64[1] d = {-2}> { y = Slice(x, a, b, c, d) }"),
    case("(float[2,6,3] x) => (float[1,6,3] y) <int64[1] a = {1}, int64[1] b = {9223372036854775807}>"
         " { y = Slice(x, a, b) }"),
    case("(float[N,6,3] x) => (float[N,4,3] y) <int32[2] a = {0, 1}, int32[2] b = {2147483647, -1},"
         " int32[2] c = {0, 1}> { y = Slice(x, a, b, c) }"),
    case("(float[N,6] x) => (float[M,3] y) <int64[2] a = {-1, 5}, int64[2] b = {9223372036854775807, 0},"
         " int64[2] c = {0, 1}, int64[2] d = {1, -2}> { y = Slice(x, a, b, c, d) }"),
    case("(float[N,6] x) => (float[M,6] y) <int64[1] a = {-1}, int64[1] b = {-9}, int64[1] c = {0}, int64[1] d = {-1}>"
         " { y = Slice(x, a, b, c, d) }", refuses="axis 0 has no fixed size"),
    case("(float[N,6] x) => (float[N,3] y) <int64[2] a = {-1, 5}, int64[2] b = {-9223372036854775808, 0},"
         " int64[2] c = {0, 1}, int64[2] d = {-1, -2}> { y = Slice(x, a, b, c, d) }"),
    case("(float[4] x, int64[1] a) => (float[M] y) <int64[1] b = {3}> { y = Slice(x, a, b) }", refuses="not constant"),
    case("(float[4] x) => (float[0] y) <int64[1] a = {3}, int64[1] b = {3}> { y = Slice(x, a, b) }", refuses="empty"),
])  # fmt: skip
def slice_to_normal_form(op: Op, node: NodeView) -> Result:
    """x[a:b:d] = x[a':b'] for d = 1, 0 <= a' < b' <= size; else x at the indices a, a + d, ..."""
    shape = op.shape(node.x)
    starts, ends = integers(op, node.input(1)), integers(op, node.input(2))
    axes, steps = integers(op, node.input(3)), integers(op, node.input(4))
    if starts is None or ends is None or (axes is None and node.input(3) is not None) or shape is None:
        return refuse("its bounds are not constant")
    if steps is None and node.input(4) is not None:
        return refuse("its steps are not constant")
    axes = normal_axes(list(range(len(starts))) if axes is None else axes, len(shape))
    wanted = sorted(zip(axes, starts, ends, steps or [1] * len(axes), strict=True))
    for axis, start, end, step in wanted:
        size = shape[axis]
        if isinstance(size, str) and step != 1 and not _turns(start, end, step):
            return refuse(f"axis {axis} has no fixed size, and the step is {step}")
        if isinstance(size, int) and not len(range(*slice(start, _open(end, step), step).indices(size))):
            return refuse("its result is empty")
    if _is_normal(node, shape, axes):
        return refuse("it is in normal form already")
    return _sliced(op, node.x, shape, wanted)


def _open(end: int, step: int) -> int | None:
    """Python takes an end below -size for the front of the array as well, but not -size - 1 of an unknown size."""
    return None if step < 0 and end < -(1 << 30) else end


def _turns(start: int, end: int, step: int) -> bool:
    """Is it all of an axis, from the last to the first?"""
    return (start == -1 or start >= END) and step == -1 and _open(end, step) is None


def _is_normal(node: NodeView, shape: Shape, axes: list[int]) -> bool:
    if len(node.inputs) < 5 or any(t is None or np.dtype(t.dtype) != np.int64 for t in node.inputs[1:]):
        return False
    starts, ends, given, steps = (integers(Op, t) or [] for t in node.inputs[1:])  # type: ignore[arg-type]
    bounds = zip(axes, starts, ends, strict=True)
    whole = all(isinstance(shape[a], str) or 0 <= s < e <= int(shape[a]) for a, s, e in bounds)
    return whole and given == sorted(axes) and set(steps) == {1}


def _sliced(op: Op, x: Tensor, shape: Shape, wanted: list[tuple[int, int, int, int]]) -> Tensor:
    """Unit steps in one Slice first, so that little is left for the others."""
    plain: list[tuple[int, int, int]] = []
    for axis, start, end, step in wanted:
        size = shape[axis]
        if step == 1 and isinstance(size, int):
            start, end, _ = slice(start, end).indices(size)
        if step == 1 and (isinstance(size, str) or (start, end) != (0, size)):
            plain.append((axis, start, end))
    if plain:
        axes, starts, ends = zip(*plain, strict=True)
        x = op.Slice(x, op.ints(*starts), op.ints(*ends), op.ints(*axes), op.ints(*[1] * len(axes)))
    for axis, start, end, step in wanted:
        if step != 1 and isinstance(shape[axis], str):
            x = op.Gather(x, places(op, x, axis, backwards=True), axis=axis)
        elif step != 1:
            x = take(op, x, np.arange(int(shape[axis]))[start : _open(end, step) : step], axis)
    return x


@rule("Split", cases=[
    case("(float[2,5] x) => (float[2,3] y, float[2,2] z) { y, z = Split<axis=1, num_outputs=2>(x) }"),
    case("(int32[5,2] x) => (int32[1,2] y, int32[4,2] z) <int64[2] s = {1, 4}> { y, z = Split<axis=-2>(x, s) }"),
    case("(float[N,7] x) => (float[N,3] a, float[N,3] b, float[N,1] c) { a, b, c = Split<axis=1, num_outputs=3>(x) }"),
    case("(float[N,2] x) => (float[M,2] y, float[L,2] z) { y, z = Split<axis=0, num_outputs=2>(x) }",
         refuses="no fixed size"),
    case("(float[2,5] x) => (float[2,5] y) <int64[2] s = {5, 0}>"
         " { a, b = Split<axis=1>(x, s) y = Concat<axis=1>(a, b) }"),
    case("(float[N,5] x) => (float[N,5] y, float[N,0] z) <int64[2] s = {5, 0}> { y, z = Split<axis=1>(x, s) }",
         refuses="empty"),
])  # fmt: skip
def split_to_slices(op: Op, node: NodeView) -> Result:
    """Split(x; s)_i = x[s_0 + ... + s_{i-1} : s_0 + ... + s_i]"""
    shape = op.shape(node.x)
    if shape is None:
        return refuse("its rank is unknown")
    axis = node.attr("axis") % len(shape)
    size, sizes = shape[axis], integers(op, node.input(1))
    if sizes is None and node.input(1) is not None:
        return refuse("its sizes are not constant")
    if not isinstance(size, int):
        return refuse(f"axis {axis} has no fixed size")
    if sizes is None:
        count = len(node.outputs)
        part = -(-size // count)
        sizes = [part] * (count - 1) + [size - part * (count - 1)]
    if min(sizes) < 0:
        return refuse("it has more parts than there are elements")
    if min(sizes) == 0 and op.static_shape(node.x) is None:
        return refuse("one of its parts is empty, and has no fixed size")
    ends = np.cumsum(sizes)
    return [
        _part(op, node.x, axis, end - length, end) if node.wants(i) else None
        for i, (end, length) in enumerate(zip(ends, sizes, strict=True))
    ]


def _part(op: Op, x: Tensor, axis: int, start: int, end: int) -> Tensor:
    """``x`` from ``start`` to ``end`` along ``axis``; what is empty is a constant."""
    if start < end:
        return take(op, x, np.arange(start, end), axis)
    shape = list(op.static_shape(x) or ())
    shape[axis] = 0
    return op.const(np.empty(shape), op.dtype(x))
