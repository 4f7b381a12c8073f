"""GridSample, and AffineGrid that makes its grids."""

from __future__ import annotations

from math import prod

import numpy as np

from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._grid import Sampling, sampled, taps
from rewrite.rules._shapes import integers, reshaped

_IMAGE = "(float[2,3,4,5] x, float[2,2,3,2] g) => (float[2,3,2,3] y) "
_SMALL = "(float[N,2,3,4] x, float[N,1,2,2] g) => (float[N,2,1,2] y) "


@rule("GridSample", cases=[
    case(_IMAGE + "{ y = GridSample(x, g) }", atol=1e-5),
    case(_IMAGE + "{ y = GridSample<align_corners=1, padding_mode=\"border\">(x, g) }", atol=1e-5),
    case(_SMALL + "{ y = GridSample<padding_mode=\"reflection\">(x, g) }", atol=1e-5),
    case(_SMALL + "{ y = GridSample<mode=\"nearest\">(x, g) }"),
    case(_SMALL + "{ y = GridSample<mode=\"nearest\", align_corners=1, padding_mode=\"border\">(x, g) }"),
    case(_IMAGE + "{ y = GridSample<mode=\"cubic\">(x, g) }", atol=0.01),
    case(_IMAGE + "{ y = GridSample<mode=\"cubic\", padding_mode=\"border\">(x, g) }", atol=0.01),
    case(_IMAGE + "{ y = GridSample<mode=\"cubic\", padding_mode=\"border\", align_corners=1>(x, g) }", atol=0.01),
    case(_IMAGE + "{ y = GridSample<mode=\"cubic\", padding_mode=\"reflection\">(x, g) }", rtol=1e-3, atol=0.01),
    case(_IMAGE + "{ y = GridSample<mode=\"cubic\", padding_mode=\"reflection\", align_corners=1>(x, g) }",
         rtol=1e-3, atol=0.01),
    case(_SMALL + "{ y = GridSample<mode=\"nearest\", padding_mode=\"reflection\">(x, g) }"),
    case("(float[1,2,2,3,4] x, float[1,1,2,2,3] g) => (float[1,2,1,2,2] y) { y = GridSample(x, g) }", atol=1e-5),
    case("(float[1,2,H,4] x, float[1,2,3,2] g) => (float[1,2,2,3] y) { y = GridSample(x, g) }", refuses="no fixed"),
])  # fmt: skip
def grid_sample_to_gather(op: Op, node: NodeView) -> Result:
    """y[n, c, p] = sum over taps of w(g[n, p]) x[n, c, i(g[n, p])]"""
    x, grid = node.inputs
    shape, wanted = op.shape(x) if x is not None else None, op.shape(grid) if grid is not None else None
    if shape is None or wanted is None:
        return refuse("its rank is unknown")
    if any(isinstance(d, str) for d in (*shape[1:], *wanted[1:])):
        return refuse("an axis other than the batch has no fixed size")
    sizes, rank = [int(d) for d in shape[2:]], len(shape)
    align, padding = bool(node.attr("align_corners", 0)), node.attr("padding_mode", "zeros")
    sampling = Sampling(node.attr("mode", "linear"), padding, align)
    if sampling.padding == "reflection" and sampling.align and 1 in sizes:
        return refuse("there is nothing to reflect along an axis of one element")
    last = len(wanted) - 1
    # the grid counts x, y, z; the axes are depth, height, width
    given = [op.Gather(grid, op.const(i, np.int64), axis=last) for i in reversed(range(len(sizes)))]
    along = taps(op, given, sizes, sampling)
    pixels = reshaped(op, op.Transpose(x, perm=[0, *range(2, rank), 1]), (shape[0], prod(sizes), shape[1]))
    return op.Transpose(sampled(op, pixels, along, sizes), perm=[0, last, *range(1, last)])


@rule("AffineGrid", cases=[
    case("(float[2,2,3] t) => (float[2,3,4,2] y) <int64[4] s = {2, 1, 3, 4}> { y = AffineGrid(t, s) }", atol=1e-5),
    case("(float[1,2,3] t) => (float[1,3,2,2] y) <int64[4] s = {1, 1, 3, 2}> { y = AffineGrid<align_corners=1>(t, s) }",
         atol=1e-5),
    case("(float[1,3,4] t) => (float[1,2,3,2,3] y) <int64[5] s = {1, 1, 2, 3, 2}> { y = AffineGrid(t, s) }", atol=1e-5),
    case("(float[1,2,3] t) => (float[1,3,1,2] y) <int64[4] s = {1, 1, 3, 1}> { y = AffineGrid<align_corners=1>(t, s) }",
         refuses="one element"),
    case("(float[1,2,3] t, int64[4] s) => (float[1,H,W,2] y) { y = AffineGrid(t, s) }", refuses="not constant"),
])  # fmt: skip
def affine_grid_to_matmul(op: Op, node: NodeView) -> Result:
    """AffineGrid(t)[n, p] = t[n] (x_p, y_p, 1)"""
    wanted, align = integers(op, node.input(1)), bool(node.attr("align_corners", 0))
    if wanted is None:
        return refuse("its size is not constant")
    sizes = wanted[2:]
    if align and 1 in sizes:
        return refuse("corners cannot be aligned along an axis of one element")
    axes = [np.linspace(-1, 1, n) if align else (2 * np.arange(n) + 1) / n - 1 for n in sizes]
    places = np.stack([*np.meshgrid(*axes, indexing="ij")[::-1], np.ones(sizes)], axis=-1).reshape(-1, len(sizes) + 1)
    grid = op.MatMul(op.const(places, op.dtype(node.x)), op.Transpose(node.x, perm=[0, 2, 1]))
    return reshaped(op, grid, (wanted[0], *sizes, len(sizes)))
