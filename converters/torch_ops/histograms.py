"""Histograms: counts of numbers in bins, whose number is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converters.torch_ops.series import where
from converters.torch_ops.sizes import fixed
from converters.translations import decomposition


@decomposition("aten::histc")
def histc(x: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """Bins of one width, floor((x - min) bins / (max - min)), the last one with its end; none of what is outside."""
    import torch

    flat = x.flatten()
    first, last = _range(flat, 1.0) if min == max else (min, max)
    place = torch.floor((flat - first) * bins / (last - first))
    place = where(flat == last, bins - 1, place)
    place = where((flat >= first) & (flat <= last), place, -1)
    return (place.unsqueeze(-1) == torch.arange(bins, dtype=x.dtype)).to(x.dtype).sum(0)


@decomposition("aten::histogram.bin_ct")
def histogram(
    x: Any,
    bins: int = 100,
    *,
    range: Sequence[float] | None = None,
    weight: Any = None,
    density: bool = False,
) -> Any:
    return histogram_of_edges(x, _edges(x.flatten(), bins, range), weight=weight, density=density)


@decomposition("aten::histogram.bins_tensor")
def histogram_of_edges(x: Any, bins: Any, *, weight: Any = None, density: bool = False) -> Any:
    counts, _ = _counted(x.reshape(-1, 1), [bins], None if weight is None else weight.flatten(), density=density)
    return counts, bins.clone()


@decomposition("aten::histogramdd", "aten::histogramdd.int_bins")
def histogramdd(
    x: Any, bins: Any, range: Sequence[float] | None = None, weight: Any = None, density: bool = False
) -> Any:
    """The axes in order, each with its bins; of what all but the last axis of x count."""
    rows = x.flatten(0, -2)
    axes = fixed(rows, 1)
    numbers = [bins] * axes if isinstance(bins, int) else bins
    ranges = [None] * axes if range is None else [range[2 * k : 2 * k + 2] for k in _count(axes)]
    edges = [_edges(rows[:, k], numbers[k], ranges[k]) for k in _count(axes)]
    return _counted(rows, edges, None if weight is None else weight.flatten(), density=density)


@decomposition("aten::histogramdd.TensorList_bins")
def histogramdd_of_edges(
    x: Any, bins: Any, range: Sequence[float] | None = None, weight: Any = None, density: bool = False
) -> Any:
    """The range is not asked for, as torch does not."""
    del range
    return _counted(x.flatten(0, -2), list(bins), None if weight is None else weight.flatten(), density=density)


_count = range


def _edges(flat: Any, bins: int, limits: Sequence[float] | None) -> Any:
    import torch

    if limits is not None:
        margin = 0.5 * (limits[0] == limits[1])
        return torch.linspace(limits[0] - margin, limits[1] + margin, bins + 1, dtype=flat.dtype)
    first, last = _range(flat, 0.5)
    steps = torch.arange(bins + 1, dtype=flat.dtype)
    # from both ends, as linspace does: the last edge is the largest number itself
    half = steps < (bins + 1) // 2
    step = (last - first) / bins
    return where(half, first + step * steps, last - step * (bins - steps))


def _range(flat: Any, margin: float) -> tuple[Any, Any]:
    """What numbers there are; widened where they are one."""
    import torch

    first, last = torch.amin(flat, 0), torch.amax(flat, 0)
    same = first == last
    return where(same, first - margin, first), where(same, last + margin, last)


def _counted(rows: Any, edges: list[Any], weight: Any, *, density: bool) -> Any:
    """The weights of the rows in each cell; a cell has its lower edges, the last ones both."""
    import torch

    found = torch.ones_like(rows[:, :1]) if weight is None else weight.unsqueeze(-1)
    for k, edge in enumerate(edges):
        x = rows[:, k : k + 1]
        inside = (x >= edge[:-1]) & (x < edge[1:])
        at_end = (x == edge[-1]) & (torch.arange(edge.shape[0] - 1) == edge.shape[0] - 2)
        found = where((inside | at_end).unsqueeze(-2), found.unsqueeze(-1), 0.0).flatten(1)
    counts = found.sum(0).reshape([edge.shape[0] - 1 for edge in edges])
    if density:
        for k, edge in enumerate(edges):
            counts = counts / (edge[1:] - edge[:-1]).reshape([-1] + [1] * (len(edges) - 1 - k))
        counts = counts / found.sum()
    return counts, [edge.clone() for edge in edges]
