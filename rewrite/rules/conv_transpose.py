"""ConvTranspose."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule


@dataclass(frozen=True)
class Axis:
    """One spatial axis: stride, kernel, and what to pad the spread-out input with (negative: what to cut off)."""

    size: int | str
    stride: int
    kernel: int
    before: int
    after: int


@rule("ConvTranspose", cases=[
    case("(float[1,2,4,4] x, float[2,3,3,3] w) => (float[1,3,8,8] y) { y = ConvTranspose<dilations=[2,2]>(x, w) }",
         atol=0.1),
    case("(float[1,4,3,4] x, float[4,3,2,3] w) => (float[1,6,6,8] y) <float[6] b={1,2,3,4,5,6}>"
         " { y = ConvTranspose<group=2, strides=[2,2], pads=[0,1,0,0]>(x, w, b) }", atol=0.1),
    case("(float[N,2,3] x, float[2,1,3] w) => (float[N,2,6] y)"
         " { y = ConvTranspose<group=2, strides=[2], pads=[1,1], output_padding=[1]>(x, w) }", atol=0.1),
    case("(float[1,2,2,2,2] x, float[2,1,2,2,2] w) => (float[1,1,4,3,5] y)"
         " { y = ConvTranspose<strides=[2,1,3]>(x, w) }", atol=0.1),
    case("(float[1,1,3,3] x, float[1,2,2,2] w) => (float[1,2,5,8] y)"
         " { y = ConvTranspose<strides=[2,3], output_shape=[5,8]>(x, w) }", atol=0.1),
    case("(float[1,1,3] x, float[1,1,2] w) => (float[1,1,2] y) { y = ConvTranspose<pads=[2,0]>(x, w) }", atol=0.1),
    case("(float[1,1,L] x, float[1,1,2] w) => (float[1,1,M] y) { y = ConvTranspose<strides=[2]>(x, w) }",
         refuses="not fixed"),
])  # fmt: skip
def conv_transpose_to_conv(op: Op, node: NodeView) -> Result:
    """ConvTranspose(x, w) = Conv(x with s-1 zeros behind each element, w with channels swapped and taps reversed)"""
    shape, weights = op.shape(node.x), op.static_shape(node.inputs[1])
    if shape is None or weights is None:
        return refuse("the shape of the weights or the rank of the input is not fixed")
    axes = _axes(node, shape[2:], weights[2:])
    if isinstance(axes, Refusal):
        return axes
    group = node.attr("group")
    y = op.Conv(
        _spread(op, node.x, axes),
        _turned(op, node.inputs[1], weights, group),
        node.input(2),
        auto_pad="NOTSET",
        dilations=list(node.attr("dilations")),
        group=group,
        kernel_shape=list(weights[2:]),
        pads=[*(max(0, a.before) for a in axes), *(max(0, a.after) for a in axes)],
        strides=[1] * len(axes),
    )
    return _cut(op, y, axes)


def _axes(node: NodeView, sizes: tuple[int | str, ...], kernel: tuple[int, ...]) -> list[Axis] | Refusal:
    strides, dilations, extra = (node.attr(n) for n in ("strides", "dilations", "output_padding"))
    pads, wanted = node.attr("pads"), node.attr("output_shape")
    axes = []
    for i, size in enumerate(sizes):
        reach = (kernel[i] - 1) * dilations[i]
        if not isinstance(size, int) and (wanted or strides[i] > 1):
            return refuse("the sizes of the spatial axes are not fixed")
        if wanted:
            # https://onnx.ai/onnx/operators/onnx__ConvTranspose.html: the odd one goes to the front, but for SAME_UPPER
            total = strides[i] * (int(size) - 1) + extra[i] + reach + 1 - wanted[-len(sizes) + i]
            if total < 0:
                return refuse("output_shape is larger than the convolution reaches")
            before = total // 2 if node.attr("auto_pad") == "SAME_UPPER" else total - total // 2
            after = total - before
        elif pads is None:
            return refuse("auto_pad could not be resolved: the sizes are not fixed")
        else:
            before, after = pads[i], pads[i + len(sizes)]
        axes.append(Axis(size, strides[i], kernel[i], reach - before, reach - after + extra[i] - (strides[i] - 1)))
    return axes


def _spread(op: Op, x: Tensor, axes: list[Axis]) -> Tensor:
    """``x`` with stride - 1 zeros behind each element, along each spatial axis."""
    if all(a.stride == 1 for a in axes):
        return x
    shape = op.shape(x)
    assert shape is not None
    channels = int(shape[1])
    apart = op.Reshape(x, op.ints(-1, channels, *(n for a in axes for n in (int(a.size), 1))))
    behind = [n for a in axes for n in (0, a.stride - 1)]
    apart = op.Pad(apart, op.ints(*[0] * (4 + 2 * len(axes)), *behind))
    return op.Reshape(apart, op.ints(-1, channels, *(int(a.size) * a.stride for a in axes)))


def _turned(op: Op, weights: Tensor, shape: tuple[int, ...], group: int) -> Tensor:
    """[C, M/g, k...] as [M, C/g, k...], its taps reversed."""
    inner, outer, taps = shape[0] // group, shape[1], prod(shape[2:])
    grouped = op.Reshape(weights, op.ints(group, inner, outer, taps))
    swapped = op.Reshape(op.Transpose(grouped, perm=[0, 2, 1, 3]), op.ints(group * outer, inner, taps))
    reversed_taps = op.Gather(swapped, op.const(np.arange(taps)[::-1].copy(), np.int64), axis=2)
    return op.Reshape(reversed_taps, op.ints(group * outer, inner, *shape[2:]))


def _cut(op: Op, y: Tensor, axes: list[Axis]) -> Tensor:
    """Cut off what negative pads stand for."""
    cut = [(i, max(0, -a.before), max(0, -a.after)) for i, a in enumerate(axes, start=2) if min(a.before, a.after) < 0]
    if not cut:
        return y
    ends = [-after if after else np.iinfo(np.int32).max for _, _, after in cut]
    starts, where = [before for _, before, _ in cut], [i for i, _, _ in cut]
    return op.Slice(y, op.ints(*starts), op.ints(*ends), op.ints(*where), op.ints(*[1] * len(cut)))
