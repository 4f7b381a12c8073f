"""Pools over everything behind the channel axis."""

from __future__ import annotations

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule


@rule("GlobalMaxPool", cases=[
    case("(float[2,3,4,5] x) => (float[2,3,1,1] y) { y = GlobalMaxPool(x) }"),
    case("(float[N,3,4] x) => (float[N,3,1] y) { y = GlobalMaxPool(x) }"),
    case("(float[1,2,2,3,2] x) => (float[1,2,1,1,1] y) { y = GlobalMaxPool(x) }"),
    case("(float[2,3,L] x) => (float[2,3,1] y) { y = GlobalMaxPool(x) }"),
])  # fmt: skip
def global_max_pool_to_reduce(op: Op, node: NodeView) -> Result:
    """GlobalMaxPool(x) = max of x over all axes behind the second"""
    axes = _behind_channels(op, node.x)
    return refuse(_NO_RANK) if axes is None else op.ReduceMax(node.x, axes, keepdims=1)


@rule("GlobalAveragePool", cases=[
    case("(float[2,3,6,L] x) => (float[2,3,1,1] y) { y = GlobalAveragePool(x) }", atol=1e-2),
    case("(float[N,3,L] x) => (float[N,3,1] y) { y = GlobalAveragePool(x) }", atol=1e-2),
])  # fmt: skip
def global_average_pool_to_reduce(op: Op, node: NodeView) -> Result:
    """GlobalAveragePool(x) = mean of x over all axes behind the second"""
    axes = _behind_channels(op, node.x)
    return refuse(_NO_RANK) if axes is None else op.ReduceMean(node.x, axes, keepdims=1)


@rule("GlobalLpPool", cases=[
    case("(float[2,3] x) => (float[2,3] y) { y = GlobalLpPool(x) }", refuses="no axis behind"),
])  # fmt: skip
def global_lp_pool_to_reduce(op: Op, node: NodeView) -> Result:
    """GlobalLpPool(x) = (sum of |x|^p over all axes behind the second)^(1/p)"""
    axes, p = _behind_channels(op, node.x), node.attr("p")
    if axes is None:
        return refuse(_NO_RANK)
    return root(op, op.ReduceSum(power(op, node.x, p), axes, keepdims=1), p)


_NO_RANK = "the rank of the input is not known, or it has no axis behind the channels"


def _behind_channels(op: Op, x: Tensor) -> Tensor | None:
    rank = op.rank(x)
    return None if rank is None or rank < 3 else op.ints(*range(2, rank))


def power(op: Op, x: Tensor, p: int) -> Tensor:
    """|x|^p"""
    if p == 2:
        return op.Mul(x, x)
    return op.Abs(x) if p == 1 else op.Pow(op.Abs(x), float(p))


def root(op: Op, x: Tensor, p: int) -> Tensor:
    """x^(1/p), x >= 0"""
    if p == 1:
        return x
    return op.Sqrt(x) if p == 2 else op.Pow(x, 1.0 / p)
