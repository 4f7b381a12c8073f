"""ArgMax, ArgMin and Hardmax."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from rewrite.graph import Array, Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule


@rule("ArgMax", "ArgMin", cases=[
    case("(float[2,5,3] x) => (int64[2,1,3] y) { y = ArgMax<axis=1>(x) }"),
    case("(float[2,5,3] x) => (int64[2,5] y) { y = ArgMax<axis=-1, keepdims=0, select_last_index=1>(x) }"),
    case("(float[7] x) => (int64 y) { y = ArgMax<axis=0, keepdims=0>(x) }"),
    case("(float[2,1] x) => (int64[2,1] y) { y = ArgMax<axis=1>(x) }"),
    case("(float[N,5] x) => (int64[N] y) { y = ArgMax<axis=1, keepdims=0>(x) }"),
    case("(int64[3,7] x) => (int64[3,1] y) { y = ArgMax<axis=1, select_last_index=1>(x) }"),
    case("(uint8[3,7] x) => (int64[3,1] y) { y = ArgMax<axis=1>(x) }"),
    case("(uint16[3,7] x) => (int64[3,1] y) { y = ArgMax<axis=1, select_last_index=1>(x) }"),
    case("(float[2,5,3] x) => (int64[1,5,3] y) { y = ArgMin(x) }"),
    case("(int32[4,7] x) => (int64[4,1] y) { y = ArgMin<axis=-1, select_last_index=1>(x) }"),
    case("(float[2,N] x) => (int64[2,1] y) { y = ArgMax<axis=1>(x) }", refuses="how many"),
])  # fmt: skip
def arg_max_to_reduction(op: Op, node: NodeView) -> Result:
    """ArgMax(x) = ReduceMin(Where(x = ReduceMax(x), index, last index)); the last of equals by ReduceMax, 0"""
    extreme = "ReduceMax" if node.op == "ArgMax" else "ReduceMin"
    last = bool(node.attr("select_last_index"))
    found = _first(op, node.x, node.attr("axis"), extreme, last=last)
    if isinstance(found, Refusal) or node.attr("keepdims"):
        return found
    return op.Squeeze(found, op.ints(_axis(op, node.x, node.attr("axis"))))


@rule("ArgMin", cases=[
    case("(float[2,N] x) => (int64[2,1] y) { y = ArgMin<axis=1>(x) }"),
    case("(float[N,3] x) => (int64[3] y) { y = ArgMin<axis=0, keepdims=0, select_last_index=1>(x) }"),
    case("(int64[N] x) => (int64[1] y) { y = ArgMin(x) }"),
    case("(uint8[2,N] x) => (int64[2,1] y) { y = ArgMin<axis=1>(x) }"),
    case("(float[2,5] x) => (int64[2,1] y) { y = ArgMin<axis=1>(x) }"),
])  # fmt: skip
def arg_min_to_arg_max(op: Op, node: NodeView) -> Result:
    """ArgMin(x) = ArgMax(-x); of integers ArgMax(-1 - x), which they all have: the complement of their bits"""
    turned = op.Neg(node.x) if op.dtype(node.x).kind not in "iu" else op.BitwiseNot(node.x)
    return op.build("ArgMax", [turned], node.attributes)[0]


@rule("Hardmax", cases=[
    case("(float[2,5,3] x) => (float[2,5,3] y) { y = Hardmax(x) }"),
    case("(float[2,5,3] x) => (float[2,5,3] y) { y = Hardmax<axis=1>(x) }"),
    case("(float[N,5] x) => (float[N,5] y) { y = Hardmax<axis=-1>(x) }"),
    case("(float[2,N] x) => (float[2,N] y) { y = Hardmax<axis=1>(x) }", refuses="how many"),
])  # fmt: skip
def hardmax_to_equal(op: Op, node: NodeView) -> Result:
    """Hardmax(x) = Cast(index = ArgMax(x))"""
    found = _first(op, node.x, node.attr("axis"), "ReduceMax", last=False)
    if isinstance(found, Refusal):
        return found
    indices = op.const(_indices(op, node.x, node.attr("axis")))
    return op.Cast(op.Equal(indices, found), to=helper.np_dtype_to_tensor_dtype(op.dtype(node.x)))


def _first(op: Op, x: Tensor, axis: int, extreme: str, *, last: bool) -> Tensor | Refusal:
    """Where along ``axis`` the extreme is, the axis kept."""
    indices = _indices(op, x, axis)
    if indices is None:
        return refuse(f"how many elements there are along axis {axis} is not known")
    over = op.ints(_axis(op, x, axis))
    if op.dtype(x) in (np.int16, np.uint16):  # of which ReduceMax is none
        x = op.Cast(x, to=onnx.TensorProto.INT32)
    attrs = {"keepdims": 1, "noop_with_empty_axes": 0}
    is_extreme = op.Equal(x, op.build(extreme, [x, over], attrs)[0])
    fill = op.const(0 if last else indices.size - 1, np.int64)
    candidates = op.Where(is_extreme, op.const(indices), fill)
    return op.build("ReduceMax" if last else "ReduceMin", [candidates, over], attrs)[0]


def _axis(op: Op, x: Tensor, axis: int) -> int:
    rank = op.rank(x)
    return axis % rank if rank else axis


def _indices(op: Op, x: Tensor, axis: int) -> Array | None:
    """0, 1, ... along ``axis``, shaped to broadcast against ``x``; None where the size is not a number."""
    shape = op.shape(x)
    if shape is None or not isinstance(shape[axis], int):
        return None
    after = len(shape) - _axis(op, x, axis) - 1
    return np.arange(shape[axis], dtype=np.int64).reshape(-1, *[1] * after)
