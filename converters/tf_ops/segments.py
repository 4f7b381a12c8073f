"""UnsortedSegment* and Segment*: rows of one number are added up, as the edges of a node in a graph network are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import helper

from converters.tf_builder import Builder, TfNode
from converters.translations import tensorflow

_INT64 = 7
#: What repeats and moves numbers and makes no others, by the names of TensorFlow and of ONNX.
_PASSING = {"Tile", "Reshape", "ExpandDims", "Unsqueeze", "Squeeze", "BroadcastTo", "Expand", "Identity", "Cast"}


def _lowest(dtype: np.dtype[Any]) -> Any:
    return np.finfo(dtype).min if dtype.kind == "f" else np.iinfo(dtype).min


def _highest(dtype: np.dtype[Any]) -> Any:
    return np.finfo(dtype).max if dtype.kind == "f" else np.iinfo(dtype).max


#: ScatterND's name of the reduction, the operator that reduces a whole axis, and what a segment without rows is.
_REDUCTIONS: dict[str, tuple[str, str, Callable[[np.dtype[Any]], Any]]] = {
    "Sum": ("add", "ReduceSum", lambda _: 0),
    "Prod": ("mul", "ReduceProd", lambda _: 1),
    "Max": ("max", "ReduceMax", _lowest),
    "Min": ("min", "ReduceMin", _highest),
}


@tensorflow("UnsortedSegmentSum", "UnsortedSegmentProd", "UnsortedSegmentMax", "UnsortedSegmentMin")
def unsorted_segments(g: Builder, node: TfNode) -> str:
    """y[k] = the reduction of all x[i] with ids[i] = k; where there is none, what leaves other numbers as they are

    Rows with a negative number are left out, as TensorFlow does; ONNX would count it from the end.
    """
    x, ids, count = node.inputs
    scatter, reduce, neutral = _REDUCTIONS[node.operator.removeprefix("UnsortedSegment")]
    shape, rank = node.shape(x), len(_known(node.shape(ids)))
    held = node.value(count)
    if held is not None and int(held) == 1 and _is_zero(node, ids):
        flat = x if rank == 1 else g.Reshape(x, _joined(g, [g.constant(np.array([-1])), _rest(g, node, x, rank)]))
        return str(g.op(reduce, [flat, g.constant(np.array([0]))], keepdims=1))
    empty = neutral(node.dtype(x))
    if not _never_negative(node, ids):
        there = g.GreaterOrEqual(ids, g.constant(0, like=ids))
        behind = np.arange(rank, len(_known(shape)))
        there = g.Unsqueeze(there, g.constant(behind)) if len(behind) else there
        x, ids = g.Where(there, x, g.constant(empty, like=x)), g.Max(ids, g.constant(0, like=ids))
    return _scattered(g, scatter, _rows(g, node, empty), ids, x)


@tensorflow("SegmentSum", "SegmentProd", "SegmentMax", "SegmentMin", "SegmentMean")
def segments(g: Builder, node: TfNode) -> str:
    """As the unsorted ones, as many as the last number says; y[k] = 0 where there is none, 1 of a product"""
    x, ids = node.inputs
    numbers, shape = node.value(ids), node.shape(x)
    sizes = [d for d in shape[1:] if d is not None] if shape is not None else []
    if numbers is None or shape is None or len(sizes) != len(shape) - 1:
        raise NotImplementedError(
            "how many segments there are is known at run time only; tf.math.unsorted_segment_sum and its kin are told"
        )
    kind = node.operator.removeprefix("Segment")
    scatter, _, neutral = _REDUCTIONS["Sum" if kind == "Mean" else kind]
    rows = np.bincount(numbers).reshape(-1, *[1] * len(sizes))
    there = (rows > 0) | (kind == "Prod")
    start = np.broadcast_to(np.where(there, neutral(node.dtype(x)), 0), (len(rows), *sizes))
    made = _scattered(g, scatter, g.constant(start, like=x), ids, x)
    return made if kind != "Mean" else str(g.Div(made, g.constant(np.maximum(rows, 1), like=x)))


def _scattered(g: Builder, reduction: str, start: str, ids: str, x: str) -> str:
    places = g.Unsqueeze(g.Cast(ids, to=_INT64), g.constant(np.array([-1])))
    return str(g.ScatterND(start, places, x, reduction=reduction))


def _rows(g: Builder, node: TfNode, empty: Any) -> str:
    """As many rows as there are segments, all of them ``empty``."""
    x, ids, count = node.inputs
    rank, held, shape = len(_known(node.shape(ids))), node.value(count), _known(node.shape(x))
    whole = node.shape(node.outputs[0])
    sizes = [int(held) if held is not None else whole[0] if whole else None, *shape[rank:]]
    fixed = [d for d in sizes if d is not None]
    if len(fixed) == len(sizes):
        return g.constant(np.full(fixed, empty), like=x)
    length = g.Reshape(g.Cast(count, to=_INT64), g.constant(np.array([1])))
    value = helper.make_tensor("value", helper.np_dtype_to_tensor_dtype(node.dtype(x)), [1], [empty])
    return str(g.ConstantOfShape(_joined(g, [length, _rest(g, node, x, rank)]), value=value))


def _known(shape: tuple[int | None, ...] | None) -> tuple[int | None, ...]:
    if shape is None:
        raise NotImplementedError("how many axes its inputs have is known at run time only")
    return shape


def _rest(g: Builder, node: TfNode, x: str, rank: int) -> str:
    """The sizes of x behind those of its numbers; "" where there are none."""
    rest = _known(node.shape(x))[rank:]
    fixed = [d for d in rest if d is not None]
    if len(fixed) == len(rest):
        return g.constant(np.array(fixed, np.int64)) if fixed else ""
    return str(g.Shape(x, start=rank))


def _joined(g: Builder, sizes: list[str]) -> str:
    there = [s for s in sizes if s]
    return there[0] if len(there) == 1 else str(g.Concat(*there, axis=0))


def _never_negative(node: TfNode, ids: str) -> bool:
    """Constant, or something is gathered with them too: TensorFlow refuses to run that with a negative one."""
    held = node.value(ids)
    if held is not None:
        return bool(held.size == 0 or held.min() >= 0)
    return any(operator in ("Gather", "GatherV2") and k == 1 for operator, k in node.readers(ids))


def _is_zero(node: TfNode, tensor: str) -> bool:
    """Nothing but zeros, however many."""
    held, producer = node.value(tensor), node.producer(tensor)
    if held is not None:
        return not held.any()
    return producer is not None and producer.operator in _PASSING and _is_zero(node, producer.inputs[0])
