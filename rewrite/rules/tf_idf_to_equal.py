"""TfIdfVectorizer of integers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from rewrite.graph import Array
from rewrite.rule import NodeView, Op, Result, case, refuse, rule

_TWO = "ngram_counts=[0, 4], ngram_indexes=[0, 1, 2, 3, 4, 5, 6], pool_int64s=[2, 3, 5, 4, 5, 6, 7, 8, 6, 7]"


@rule("TfIdfVectorizer", cases=[
    case("(int32[12] x) => (float[7] y) { y = TfIdfVectorizer<mode=\"TF\", min_gram_length=1, max_gram_length=2, "
         f"max_skip_count=2, {_TWO}>(x) }}"),
    case("(int64[2,6] x) => (float[2,7] y) { y = TfIdfVectorizer<mode=\"IDF\", min_gram_length=2, max_gram_length=2, "
         f"max_skip_count=5, {_TWO}, weights=[1.0, 2.0, 3.0, 4.0, 0.5, 6.0, 7.0]>(x) }}"),
    case("(int64[2,6] x) => (float[2,7] y) { y = TfIdfVectorizer<mode=\"TFIDF\", min_gram_length=1, max_gram_length=2, "
         f"max_skip_count=0, {_TWO}, weights=[1.0, 2.0, 3.0, 4.0, 0.5, 6.0, 7.0]>(x) }}"),
    case("(int64[N,6] x) => (float[N,7] y) { y = TfIdfVectorizer<mode=\"TF\", min_gram_length=2, max_gram_length=2, "
         f"max_skip_count=0, {_TWO}>(x) }}"),
    case("(int64[K] x) => (float[7] y) { y = TfIdfVectorizer<mode=\"TF\", min_gram_length=1, max_gram_length=2, "
         f"max_skip_count=0, {_TWO}>(x) }}", refuses="open length"),
])  # fmt: skip
def tf_idf_to_equal(op: Op, node: NodeView) -> Result:
    """y[i(g)] = w_i f(sum over places p and skips s of [x_p = g_0, x_{p+s} = g_1, ...]), f(n) = n, or n > 0 for IDF

    Source: https://onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html
    """
    shape, pool = op.shape(node.x), node.attr("pool_int64s")
    if not pool:
        return refuse("it counts words, and a header has numbers only")
    if not shape or not isinstance(shape[-1], int):
        return refuse("it counts in a row of open length")
    rows = op.Cast(op.Reshape(node.x, op.ints(-1, shape[-1]), allowzero=0), to=7)
    indexes = [int(i) for i in node.attr("ngram_indexes")]
    width, counted = max(indexes) + 1, []
    for first, grams in _by_length(node):
        places = _places(shape[-1], grams.shape[1], node)
        if not places.size:
            continue
        found = op.Equal(
            op.Unsqueeze(op.Gather(rows, op.const(places), axis=1), op.ints(1)), op.const(grams[:, None, :])
        )
        whole = op.ReduceMin(op.Cast(found, to=1), op.ints(3), keepdims=0, noop_with_empty_axes=0)
        count = op.ReduceSum(whole, op.ints(2), keepdims=0, noop_with_empty_axes=0)
        spread = np.zeros((len(grams), width), np.float32)
        spread[np.arange(len(grams)), indexes[first : first + len(grams)]] = 1
        counted.append(op.MatMul(count, op.const(spread)))
    if not counted:
        return refuse("no row is long enough for what it counts")
    total = counted[0] if len(counted) == 1 else op.Sum(*counted)
    total = _weighted(op, node, total, width)
    return op.Reshape(total, op.ints(width), allowzero=0) if len(shape) == 1 else total


def _by_length(node: NodeView) -> list[tuple[int, Array]]:
    """Per length that is counted: the number of its first n-gram among all, and the n-grams, one a row."""
    pool = np.array(node.attr("pool_int64s"), np.int64)
    bounds = [*(int(b) for b in node.attr("ngram_counts")), len(pool)]
    made, first = [], 0
    for length, (start, end) in enumerate(pairwise(bounds), 1):
        count = (end - start) // length
        if count and node.attr("min_gram_length") <= length <= node.attr("max_gram_length"):
            made.append((first, pool[start:end].reshape(count, length)))
        first += count
    return made


def _places(size: int, length: int, node: NodeView) -> Array:
    """Where n-grams of one length may stand in a row: [place, element]; skips make no other unigrams."""
    skips = range(1, int(node.attr("max_skip_count")) + 2) if length > 1 else (1,)
    found = [range(p, p + s * length, s) for s in skips for p in range(size - s * (length - 1))]
    return np.array([list(f) for f in found], np.int64).reshape(-1, length)


def _weighted(op: Op, node: NodeView, count: Result, width: int) -> Result:
    mode = node.attr("mode")
    mode = mode.decode() if isinstance(mode, bytes) else mode
    if mode == "IDF":
        count = op.Min(count, 1)
    if mode == "TF" or not node.attr("weights"):
        return count
    weights = np.zeros(width, np.float32)
    weights[[int(i) for i in node.attr("ngram_indexes")]] = node.attr("weights")
    return op.Mul(count, op.const(weights))
