"""UnsortedSegment*, Segment*: sums, products and extremes of the rows that bear one number, as graph networks have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from converters.tf_builder import Builder, TfNode
from converters.translations import tensorflow

_INT64 = 7


def _lowest(dtype: np.dtype[Any]) -> Any:
    return np.finfo(dtype).min if dtype.kind == "f" else np.iinfo(dtype).min


def _highest(dtype: np.dtype[Any]) -> Any:
    return np.finfo(dtype).max if dtype.kind == "f" else np.iinfo(dtype).max


#: ScatterND's name of each reduction, and what a segment without rows is.
_REDUCTIONS: dict[str, tuple[str, Callable[[np.dtype[Any]], Any]]] = {
    "UnsortedSegmentSum": ("add", lambda _: 0),
    "UnsortedSegmentProd": ("mul", lambda _: 1),
    "UnsortedSegmentMax": ("max", _lowest),
    "UnsortedSegmentMin": ("min", _highest),
}


@tensorflow(*_REDUCTIONS)
def unsorted_segments(g: Builder, node: TfNode) -> str:
    """y[k] = the reduction of all x[i] with ids[i] = k, and the reduction's neutral element where there is none"""
    x, ids, count = node.inputs
    reduction, neutral = _REDUCTIONS[node.operator]
    dtype = node.dtype(x)
    shape, sizes = node.shape(x), node.value(count)
    places = g.Unsqueeze(g.Cast(ids, to=_INT64), g.constant(np.array([-1])))
    empty = np.full([int(sizes), *shape[1:]], neutral(dtype), dtype)
    return str(g.ScatterND(g.constant(empty, like=x), places, x, reduction=reduction))
