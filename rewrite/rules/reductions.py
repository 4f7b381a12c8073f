"""Reductions: over no axes, over all, and those that others express."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule
from rewrite.rules._shapes import fixed, integers, normal_axes, reshaped

#: Reductions that have a meaning for the one element that is left where nothing is reduced: f(x).
_OF_ONE = {
    "ReduceSum": lambda op, x: op.Identity(x),
    "ReduceMean": lambda op, x: op.Identity(x),
    "ReduceProd": lambda op, x: op.Identity(x),
    "ReduceMax": lambda op, x: op.Identity(x),
    "ReduceMin": lambda op, x: op.Identity(x),
    "ReduceSumSquare": lambda op, x: op.Mul(x, x),
    "ReduceL1": lambda op, x: op.Abs(x),
    "ReduceL2": lambda op, x: op.Abs(x),
    "ReduceLogSum": lambda op, x: op.Log(x),
    "ReduceLogSumExp": lambda op, x: op.Identity(x),
}


@rule(*_OF_ONE, cases=[
    *(case(f"(float[2,3] x) => (float[2,3] y) {{ y = {o}<noop_with_empty_axes=1>(x) }}") for o in _OF_ONE),
    case("(int64[2] x) => (int64[2] y) { y = ReduceLogSum<noop_with_empty_axes=1>(x) }", refuses="Log of integers"),
    case("(float[2,3] x) => (float[2,3] y) <int64[0] a = {}> { y = ReduceL2<noop_with_empty_axes=1>(x, a) }"),
    case("(float[2,3] x) => (float y) { y = ReduceSum<keepdims=0>(x) }"),
    case("(float[4] x) => (float y) <int64[1] a = {-1}> { y = ReduceMax<keepdims=0>(x, a) }"),
    case("(float[2,3] x) => (float y) <int64[0] a = {}> { y = ReduceL2<keepdims=0>(x, a) }"),
    case("(float[2,3] x) => (float[1,1] y) <int64[0] a = {}> { y = ReduceMean(x, a) }"),
    case("(int64[2,3] x) => (int64 y) { y = ReduceProd<keepdims=0>(x) }"),
    case("(float[N,3] x) => (float y) { y = ReduceSumSquare<keepdims=0>(x) }"),
    case("(float[2,3] x) => (float[3] y) <int64[1] a = {0}> { y = ReduceSum<keepdims=0>(x, a) }", refuses="as plain"),
    case("(float[2,3] x, int64[1] n) => (float[2,1] y) <int64[1] o = {0}, int64[1] i = {1}> "
         "{ m = Mul(n, o) a = Add(m, i) y = ReduceMean(x, a) }"),
    case("(float[2,3] x, int64[1] n) => (float[3] y) <int64[1] o = {0}> "
         "{ a = Mul(n, o) y = ReduceL2<keepdims=0>(x, a) }"),
    case("(float[2,3] x, int64[1] a) => (float[U,V] y) { y = ReduceSum(x, a) }", refuses="not constant"),
    case("(float[3,2,2] x, int64[1] a) => (float[3,2] y) { y = ReduceSum<keepdims=0>(x, a) }", refuses="not constant"),
])  # fmt: skip
def reduction_to_kept_axes(op: Op, node: NodeView) -> Result:
    """Reduce(x) = Squeeze(Reduce(x; all axes, kept)); Reduce(x; no axes) = f(x), elementwise"""
    axes = _axes(op, node)
    if isinstance(axes, Refusal):
        return axes
    if not axes:
        if node.op == "ReduceLogSum" and op.dtype(node.x).kind != "f":
            return refuse("there is no Log of integers")
        return _OF_ONE[node.op](op, node.x)
    rank = op.rank(node.x)
    whole = len(axes) == rank
    given = integers(op, node.input(1))
    if whole and not node.attr("keepdims"):
        kept = op.build(node.op, [node.x, op.ints(*axes)], {"keepdims": 1, "noop_with_empty_axes": 0})[0]
        return op.Squeeze(kept, op.ints(*axes))
    if given == axes and not node.attr("noop_with_empty_axes"):
        return refuse("the reduction is as plain as it gets")
    attrs = {"keepdims": node.attr("keepdims"), "noop_with_empty_axes": 0}
    return op.build(node.op, [node.x, op.ints(*axes)], attrs)[0]


@rule("ReduceMax", "ReduceMin", cases=[
    case("(float[2,3,4] x) => (float[2,3,1] y) <int64[1] a = {-1}> { y = ReduceMax(x, a) }"),
    case("(float[2,3,4] x) => (float[3] y) <int64[2] a = {0, 2}> { y = ReduceMin<keepdims=0>(x, a) }"),
    case("(float[N,3,4] x) => (float[N,4] y) <int64[1] a = {1}> { y = ReduceMax<keepdims=0>(x, a) }"),
    case("(float[2,3] x) => (float[1,1] y) { y = ReduceMax(x) }"),
    case("(float[2,N,4] x) => (float[2,1,4] y) <int64[1] a = {1}> { y = ReduceMin(x, a) }"),
    case("(float[2,N,4] x) => (float[2,4] y) <int64[1] a = {-2}> { y = ReduceMax<keepdims=0>(x, a) }"),
    case("(float[2,N,L] x) => (float[2] y) <int64[2] a = {1, 2}> { y = ReduceMax<keepdims=0>(x, a) }",
         refuses="open sizes"),
    case("(int64[2,3] x) => (int64[2,1] y) <int64[1] a = {1}> { y = ReduceMax(x, a) }", refuses="float32 alone"),
])  # fmt: skip
def reduce_max_to_window(op: Op, node: NodeView) -> Result:
    """ReduceMax(x) = MaxPool over one window, or TopK of one where its size is open; ReduceMin(x) = -ReduceMax(-x)

    Of infinities too: a row of -inf, as masks have it, has no other maximum.
    """
    if op.dtype(node.x) != np.float32:
        return refuse("a window takes float32 alone")
    axes, shape = _axes(op, node), op.shape(node.x)
    if isinstance(axes, Refusal):
        return axes
    if not axes or shape is None:
        return refuse("nothing is reduced")
    x = op.Neg(node.x) if node.op == "ReduceMin" else node.x
    sizes = [shape[a] for a in axes]
    kept = [i for i in range(len(shape)) if i not in axes]
    if all(isinstance(d, int) for d in sizes):
        count = fixed(tuple(sizes))
        moved = op.Transpose(x, perm=[*kept, *axes]) if [*kept, *axes] != list(range(len(shape))) else x
        rows = op.Reshape(moved, op.ints(-1, 1, 1, count), allowzero=0)
        window = {"kernel_shape": [1, count], "strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1]}
        top = op.MaxPool(rows, ceil_mode=0, storage_order=0, **window)
        after = (
            [1 if i in axes else d for i, d in enumerate(shape)] if node.attr("keepdims") else [shape[i] for i in kept]
        )
        result = reshaped(op, top, tuple(after))
        if result is None:
            return refuse("open sizes remain that one reshape does not express")
    elif len(axes) == 1:
        result, _ = op.TopK(x, op.ints(1), axis=axes[0], largest=1, sorted=1, outputs=2)
        if not node.attr("keepdims"):
            result = reshaped(op, result, tuple(shape[i] for i in kept))
    else:
        return refuse("several axes of open sizes are reduced at once")
    return op.Neg(result) if node.op == "ReduceMin" else result


@rule("ReduceL1", cases=[
    case("(float[2,3,4] x) => (float[2,1,4] y) <int64[1] a = {1}> { y = ReduceL1(x, a) }"),
    case("(float[2,3,4] x) => (float[3] y) <int64[2] a = {0,-1}> { y = ReduceL1<keepdims=0>(x, a) }"),
    case("(int64[2,3] x) => (int64[2] y) <int64[1] a = {1}> { y = ReduceL1<keepdims=0>(x, a) }"),
    case("(int32[N,3] x) => (int32[N,1] y) <int64[1] a = {1}> { y = ReduceL1(x, a) }"),
])  # fmt: skip
def reduce_l1_to_sum(op: Op, node: NodeView) -> Result:
    """ReduceL1(x) = ReduceSum(|x|)"""
    return op.build("ReduceSum", [op.Abs(node.x), *node.inputs[1:]], node.attributes)[0]


@rule("ReduceLogSum", cases=[
    case("(float[2,3,4] x) => (float[2,1,4] y) <int64[1] a = {1}> { z = Exp(x) y = ReduceLogSum(z, a) }"),
    case("(float[2,3] x) => (float[3] y) <int64[1] a = {0}> { z = Abs(x) y = ReduceLogSum<keepdims=0>(z, a) }"),
    case("(int64[2,3] x) => (int64[1,1] y) { y = ReduceLogSum(x) }", refuses="rounded down"),
])  # fmt: skip
def reduce_log_sum_to_log(op: Op, node: NodeView) -> Result:
    """ReduceLogSum(x) = Log(ReduceSum(x))"""
    if op.dtype(node.x).kind != "f":
        return refuse("a logarithm rounded down to an integer hangs on its last bit")
    return op.Log(op.build("ReduceSum", node.inputs, node.attributes)[0])


@rule("ReduceLogSumExp", cases=[
    case("(float[2,3,4] x) => (float[2,1,4] y) <int64[1] a = {1}> { y = ReduceLogSumExp(x, a) }"),
    case("(float[2,3,4] x) => (float[3] y) <int64[2] a = {0,-1}> { y = ReduceLogSumExp<keepdims=0>(x, a) }"),
    case("(float[2,3] x) => (float y) { y = ReduceLogSumExp<keepdims=0>(x) }"),
    case("(float[3,2] x) => (float[3,1] y) <int64[1] a = {1}> { z = Log(x) y = ReduceLogSumExp(z, a) }"),
    case("(int64[2,3] x) => (int64[1,1] y) { y = ReduceLogSumExp(x) }", refuses="rounded down"),
])  # fmt: skip
def reduce_log_sum_exp_to_shifted(op: Op, node: NodeView) -> Result:
    """ReduceLogSumExp(x) = m + Log(ReduceSum(Exp(x - m))), m = ReduceMax(x) kept finite"""
    dtype = op.dtype(node.x)
    if dtype.kind != "f":
        return refuse("a logarithm rounded down to an integer hangs on its last bit")
    axes = _axes(op, node)
    if isinstance(axes, Refusal):
        return axes
    if not axes:
        return refuse("nothing is reduced")
    kept = {"keepdims": 1, "noop_with_empty_axes": 0}
    largest = float(np.finfo(dtype).max)
    over: Tensor = op.ints(*axes)
    shift = op.Clip(op.build("ReduceMax", [node.x, over], kept)[0], -largest, largest)
    total = op.build("ReduceSum", [op.Exp(op.Sub(node.x, shift)), over], kept)[0]
    result = op.Add(op.Log(total), shift)
    return result if node.attr("keepdims") else op.Squeeze(result, over)


def _axes(op: Op, node: NodeView) -> list[int] | Refusal:
    """The axes that are reduced, counted from the front; empty where none is."""
    rank = op.rank(node.x)
    if rank is None:
        return refuse("the rank is not known")
    given = integers(op, node.input(1))
    if node.input(1) is not None and given is None and op.shape(node.inputs[1]) != (0,):
        told = _axes_of_shapes(op.static_shape(node.x), op.static_shape(node.outputs[0]), kept=node.attr("keepdims"))
        return refuse("the axes are not constant, and the result's shape does not tell them") if told is None else told
    if given:
        return normal_axes(given, rank)
    return [] if node.attr("noop_with_empty_axes") else list(range(rank))


def _axes_of_shapes(before: tuple[int, ...] | None, after: tuple[int, ...] | None, *, kept: bool) -> list[int] | None:
    """The axes that a reduction from the one shape to the other went over, where only one choice of them does that."""
    if before is None or after is None:
        return None
    if kept:  # over a size of 1 nothing changes, so whether such an axis is among them is all the same
        return [i for i, (b, a) in enumerate(zip(before, after, strict=True)) if b != a]
    choices = [
        list(axes)
        for axes in combinations(range(len(before)), len(before) - len(after))
        if tuple(d for i, d in enumerate(before) if i not in axes) == after
    ]
    return choices[0] if len(choices) == 1 else None
