"""MaxPool, AveragePool and LpPool whose windows no plain pool has: dilations, positions of the maxima, any p."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from rewrite.graph import Array, Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule
from rewrite.rules._shapes import places, reshaped
from rewrite.rules.global_pools import power, root


@dataclass(frozen=True)
class Windows:
    """Along one spatial axis: input positions [output, kernel], which may lie in the padding around [0, size)."""

    positions: Array
    size: int
    before: int
    after: int

    @property
    def inside(self) -> Array:
        return np.asarray((self.positions >= 0) & (self.positions < self.size))


@rule("MaxPool", cases=[
    case("(float[1,2,7,7] x) => (float[1,2,3,3] y) { y = MaxPool<kernel_shape=[3,3], dilations=[2,2]>(x) }"),
    case("(float[2,1,8] x) => (float[2,1,4] y)"
         " { y = MaxPool<kernel_shape=[3], dilations=[2], strides=[2], pads=[1,2]>(x) }"),
    case("(float[N,2,5,6] x) => (float[N,2,3,2] y)"
         " { y = MaxPool<kernel_shape=[2,2], dilations=[1,3], strides=[2,2], ceil_mode=1>(x) }"),
    case("(float[1,1,4,4,4] x) => (float[1,1,2,2,4] y) { y = MaxPool<kernel_shape=[2,2,1], dilations=[2,2,1]>(x) }"),
    case("(float[1,1,2] x) => (float[1,1,3] y) { y = MaxPool<kernel_shape=[2], dilations=[3], pads=[2,2]>(x) }",
         refuses="wholly in the padding"),
    case("(float[1,2,4] x) => (float[1,2,3] y, int64[1,2,3] i) { y, i = MaxPool<kernel_shape=[2]>(x) }",
         refuses="indices"),
    case("(float[1,2,L] x) => (float[1,2,M] y) { y = MaxPool<kernel_shape=[2], dilations=[2]>(x) }",
         refuses="not fixed"),
])  # fmt: skip
def max_pool_to_gather(op: Op, node: NodeView) -> Result:
    """MaxPool(x) = max over k of x[position(o, k)], one spatial axis after the other"""
    if node.wants(1):
        return refuse("the indices of the maxima are asked for")
    axes = windows(op, node)
    if isinstance(axes, Refusal):
        return axes
    if not all(w.inside.any(axis=1).all() for w in axes):
        return refuse("a window lies wholly in the padding, where ONNX gives no maximum")
    y = node.x
    for axis, window in enumerate(axes, start=2):
        # A position in the padding is replaced by one of the same window: the maximum does not change.
        first = np.take_along_axis(window.positions, window.inside.argmax(axis=1)[:, None], axis=1)
        y = _gathered(op, y, np.where(window.inside, window.positions, first), axis, op.ReduceMax)
    return [y, *[None] * (len(node.outputs) - 1)]


@rule("MaxPool", cases=[
    case("(float[2,2,4] x) => (float[2,2,4] y, int64[2,2,4] i) { y, i = MaxPool<kernel_shape=[3], pads=[1,1]>(x) }"),
    case("(float[1,2,3,4] x) => (float[1,2,2,2] y, int64[1,2,2,2] i)"
         " { y, i = MaxPool<kernel_shape=[2,2], strides=[1,2], storage_order=1>(x) }"),
    case("(float[1,2,3] x) => (float[1,2,2] y) { y = MaxPool<kernel_shape=[2]>(x) }",
         refuses="indices are not asked for"),
    case("(float[N,2,3] x) => (float[N,2,2] y, int64[N,2,2] i) { y, i = MaxPool<kernel_shape=[2]>(x) }"),
    case("(float[N,2,5,4] x) => (float[N,2,3,2] y, int64[N,2,3,2] i)"
         " { y, i = MaxPool<kernel_shape=[2,3], strides=[2,2], pads=[1,1,0,1]>(x) }"),
    case("(float[N,2,4,4] x) => (int64[N,2,3,3] i) { y, i = MaxPool<kernel_shape=[2,2]>(x) }"),
    case("(float[N,2,L] x) => (float[N,2,M] y, int64[N,2,M] i) { y, i = MaxPool<kernel_shape=[2]>(x) }",
         refuses="not fixed"),
    case("(float[N,C,3] x) => (float[N,C,2] y, int64[N,C,2] i) { y, i = MaxPool<kernel_shape=[2]>(x) }",
         refuses="channels"),
])  # fmt: skip
def max_pool_to_arg_max(op: Op, node: NodeView) -> Result:
    """MaxPool's indices = the position of each window's first maximum, counted through the whole tensor"""
    if not node.wants(1):
        return refuse("the indices are not asked for")
    shape, axes = op.shape(node.x), windows(op, node)
    if isinstance(axes, Refusal) or shape is None:
        return axes
    batch, channels = shape[:2]
    if not isinstance(channels, int):
        return refuse("the number of channels is not fixed")
    flat, inside = _crossed(axes)
    if not inside.any(axis=1).all():
        return refuse("a window lies wholly in the padding, where ONNX gives no maximum")
    flat = np.where(inside, flat, np.take_along_axis(flat, inside.argmax(axis=1)[:, None], axis=1))
    spatial = tuple(w.size for w in axes)
    seen = op.Gather(reshaped(op, node.x, (batch, channels, prod(spatial))), op.const(flat, np.int64), axis=2)
    best = op.ArgMax(seen, axis=3, keepdims=0, select_last_index=0)
    at = op.Add(best, op.const(np.arange(len(flat)) * flat.shape[1], np.int64))
    numbers = op.const(_numbered(flat, spatial, node.attr("storage_order")), np.int64)
    indices = op.Add(op.Gather(numbers, at, axis=0), _planes(op, node.x, channels, prod(spatial)))
    y = op.ReduceMax(seen, op.ints(3), keepdims=0)
    out = (batch, channels, *(len(w.positions) for w in axes))
    return [reshaped(op, y, out), reshaped(op, indices, out)]


def _planes(op: Op, x: Tensor, channels: int, area: int) -> Tensor:
    """Where in the whole tensor the plane of each channel of each event begins: [N, channels, 1]."""
    first = np.arange(channels, dtype=np.int64).reshape(1, -1, 1) * area
    batch = (op.shape(x) or ("",))[0]
    if isinstance(batch, int):
        return op.const(first + np.arange(batch, dtype=np.int64).reshape(-1, 1, 1) * (channels * area))
    events = op.Reshape(places(op, x, 0), op.ints(-1, 1, 1), allowzero=0)
    events.shape = (batch, 1, 1)  # inference does not follow the -1
    return op.Add(op.Mul(events, op.ints(channels * area)), op.const(first))


@rule("AveragePool", cases=[
    case("(float[1,2,7,7] x) => (float[1,2,3,3] y) { y = AveragePool<kernel_shape=[3,3], dilations=[2,2]>(x) }",
         atol=1e-2),
    case("(float[2,1,8] x) => (float[2,1,4] y)"
         " { y = AveragePool<kernel_shape=[3], dilations=[2], strides=[2], pads=[1,2]>(x) }", atol=1e-2),
    case("(float[N,2,5,6] x) => (float[N,2,3,4] y) { y = AveragePool<kernel_shape=[2,2], dilations=[1,3],"
         " strides=[2,2], pads=[1,2,1,3], count_include_pad=1>(x) }", atol=1e-2),
    case("(float[1,2,L] x) => (float[1,2,M] y) { y = AveragePool<kernel_shape=[2], dilations=[2]>(x) }",
         refuses="not fixed"),
])  # fmt: skip
def average_pool_to_gather(op: Op, node: NodeView) -> Result:
    """AveragePool(x) = sum over k of x[position(o, k)] / count(o), one spatial axis after the other"""
    axes = windows(op, node)
    if isinstance(axes, Refusal):
        return axes
    y, counts = node.x, np.ones(())
    overhang = [max(0, int(w.positions.max()) + 1 - w.size) for w in axes]
    pads = [0, 0, *[w.before for w in axes], 0, 0, *overhang]
    if any(pads):
        y = op.Pad(y, op.ints(*pads))
    for axis, window in enumerate(axes, start=2):
        y = _gathered(op, y, window.positions + window.before, axis, op.ReduceSum)
        padded = window.positions < window.size + window.after
        counts = counts[..., None] * (padded if node.attr("count_include_pad") else window.inside).sum(axis=1)
    return op.Div(y, op.const(counts if counts.min() < counts.max() else counts.max(), op.dtype(y)))


@rule("LpPool", cases=[
    case("(float[1,2,5,5] x) => (float[1,2,4,4] y) { y = LpPool<kernel_shape=[2,2]>(x) }"),
    case("(float[N,2,5] x) => (float[N,2,3] y) { y = LpPool<kernel_shape=[3], strides=[2], pads=[1,1], p=1>(x) }"),
    case("(float[1,1,4,4,4] x) => (float[1,1,2,2,2] y) { y = LpPool<kernel_shape=[2,2,2], strides=[2,2,2], p=3>(x) }"),
    case("(float[1,2,6] x) => (float[1,2,3] y) { y = LpPool<kernel_shape=[3], strides=[2], ceil_mode=1>(x) }"),
    case("(float[1,2,7] x) => (float[1,2,3] y) { y = LpPool<kernel_shape=[3], dilations=[2]>(x) }"),
])  # fmt: skip
def lp_pool_to_average_pool(op: Op, node: NodeView) -> Result:
    """LpPool(x) = (size AveragePool(|x|^p))^(1/p), zeros in the padding"""
    axes = windows(op, node)
    if isinstance(axes, Refusal):
        return axes
    p, kernel = node.attr("p"), list(node.attr("kernel_shape"))
    after = [max(w.after, int(w.positions.max()) + 1 - w.size) for w in axes]  # so that no ceiling is needed
    dilations = {"dilations": list(node.attr("dilations"))} if max(node.attr("dilations", [1])) > 1 else {}
    mean = op.AveragePool(
        power(op, node.x, p),
        kernel_shape=kernel,
        strides=list(node.attr("strides") or [1] * len(kernel)),
        pads=[*[w.before for w in axes], *after],
        count_include_pad=1,
        **dilations,
    )
    return root(op, op.Mul(mean, float(prod(kernel))), p)


def windows(op: Op, node: NodeView) -> list[Windows] | Refusal:
    """The windows of a pool along each spatial axis."""
    kernel = node.attr("kernel_shape")
    shape, out = op.shape(node.x), op.shape(next(o for o in node.outputs if o.name))
    sizes, counts = (shape or ())[2:], (out or ())[2:]
    if len(sizes) != len(kernel) or not all(isinstance(d, int) for d in (*sizes, *counts)):
        return refuse("the sizes of the spatial axes are not fixed")
    ones = [1] * len(kernel)
    strides, dilations = node.attr("strides") or ones, node.attr("dilations") or ones
    pads = node.attr("pads") or [0] * 2 * len(kernel)
    return [
        Windows(np.arange(int(c))[:, None] * s + np.arange(k) * d - before, int(size), before, after)
        for size, c, k, s, d, before, after in zip(
            sizes, counts, kernel, strides, dilations, pads[: len(kernel)], pads[len(kernel) :], strict=True
        )
    ]


def _gathered(op: Op, x: Tensor, positions: Array, axis: int, reduce: Callable[..., Tensor]) -> Tensor:
    """Reduce ``x`` over windows along one axis."""
    if positions.shape[1] > 1:
        return reduce(op.Gather(x, op.const(positions, np.int64), axis=axis), op.ints(axis + 1), keepdims=0)
    shape = op.shape(x)
    if shape is not None and [*range(len(positions))] == positions[:, 0].tolist() and shape[axis] == len(positions):
        return x
    return op.Gather(x, op.const(positions[:, 0], np.int64), axis=axis)


def _crossed(axes: list[Windows]) -> tuple[Array, Array]:
    """Windows over all axes at once: positions [outputs, kernel] in the flattened image, and which lie inside it."""
    flat, inside = np.zeros((1, 1), np.int64), np.ones((1, 1), bool)
    for w in axes:
        crossed = flat[:, None, :, None] * w.size + w.positions[None, :, None, :]
        flat = crossed.reshape(len(flat) * len(w.positions), -1)
        inside = (inside[:, None, :, None] & w.inside[None, :, None, :]).reshape(flat.shape)
    return flat, inside


def _numbered(flat: Array, spatial: tuple[int, ...], storage_order: int) -> Array:
    """The positions as ONNX counts them: along rows, or along columns."""
    if not storage_order:
        return flat.reshape(-1)
    columns = np.arange(prod(spatial)).reshape(spatial[::-1])
    return np.asarray(columns.transpose().reshape(-1)[flat.reshape(-1)])
