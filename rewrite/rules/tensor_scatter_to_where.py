"""TensorScatter: a cache of keys or values, updated."""

from __future__ import annotations

import numpy as np

from rewrite.rule import NodeView, Op, Result, case, refuse, rule

_CACHE = "(float[2,1,4,3] x, float[2,1,{},3] u) => (float[2,1,4,3] y) <int64[2] w = {{{}}}> "


@rule("TensorScatter", cases=[
    case(_CACHE.format(1, "1, 3") + "{ y = TensorScatter(x, u, w) }"),
    case(_CACHE.format(2, "0, 2") + "{ y = TensorScatter(x, u, w) }"),
    case(_CACHE.format(3, "2, 3") + '{ y = TensorScatter<mode="circular">(x, u, w) }'),
    case("(float[2,4,3] x, float[2,2,3] u, int64[2] w) => (float[2,4,3] y) { y = TensorScatter(x, u, w) }"),
    case("(float[2,3,4] x, float[2,3,2] u, int64[2] w) => (float[2,3,4] y) { y = TensorScatter<axis=-1>(x, u, w) }"),
    case("(float[2,4,3] x, float[2,4,3] u, int64[2] w) => (float[2,4,3] y)"
         ' { y = TensorScatter<axis=1, mode="circular">(x, u, w) }'),
    case("(float[2,4,3] x, float[2,2,3] u, int64[2] n) => (float[2,4,3] y) <int64 p = {7}>"
         ' { w = Add(n, p) y = TensorScatter<axis=1, mode="circular">(x, u, w) }'),
    case("(float[N,4,3] x, float[N,2,3] u, int64[N] w) => (float[N,4,3] y)"
         ' { y = TensorScatter<mode="circular">(x, u, w) }'),
    case("(int64[2,4,3] x, int64[2,2,3] u) => (int64[2,4,3] y) { y = TensorScatter(x, u) }"),
    case("(float[2,4,3] x, float[2,4,3] u) => (float[2,4,3] y) { y = TensorScatter(x, u) }"),
    case("(float[2,S,3] x, float[2,1,3] u, int64[2] w) => (float[2,S,3] y) { y = TensorScatter(x, u, w) }",
         refuses="no fixed size"),
])  # fmt: skip
def tensor_scatter_to_where(op: Op, node: NodeView) -> Result:
    """y[b, s] = u[b, s - w_b] where 0 <= s - w_b < length of u, else x[b, s]

    If circular, s - w_b is taken modulo the length of x.
    """
    cache, update, start = node.x, node.input(1), node.input(2)
    shape, given = op.shape(cache), op.shape(update) if update is not None else None
    if shape is None or given is None:
        return refuse("the rank is unknown")
    axis, rank = node.attr("axis", -2) % len(shape), len(shape)
    size, length = shape[axis], given[axis]
    if isinstance(size, str) or isinstance(length, str):
        return refuse(f"axis {axis} has no fixed size")
    if start is None:
        if length == size:
            return update
        rest = op.Slice(cache, op.ints(length), op.ints(size), op.ints(axis), op.ints(1))
        return op.Concat(update, rest, axis=axis)
    circular = node.attr("mode", "linear") == "circular"
    if circular:  # it may have gone round more than once
        start = op.Sub(start, op.Mul(op.Div(start, size), size))
    place = op.Sub(op.const(np.arange(size)[None], np.int64), op.Unsqueeze(start, op.ints(1)))
    if circular:
        place = op.Where(op.Less(place, 0), op.Add(place, size), place)
    inside = op.And(op.GreaterOrEqual(place, 0), op.Less(place, length))
    others = [i for i in range(1, rank) if i != axis]
    if length > 1:
        kept = op.Min(op.Max(place, 0), length - 1)
        perm = [0, axis, *others]
        first = update if axis == 1 else op.Transpose(update, perm=perm)
        update = op.GatherND(first, op.Unsqueeze(kept, op.ints(2)), batch_dims=1)
        update = update if axis == 1 else op.Transpose(update, perm=[perm.index(i) for i in range(rank)])
    return op.Where(op.Unsqueeze(inside, op.ints(*others)), update, cache)
