"""Where numbers stand among others, and whether they do; by comparing all with all."""

from __future__ import annotations

from typing import Any

from converters.translations import decomposition


@decomposition("aten::searchsorted")
def searchsorted(
    boundaries: Any,
    values: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Any:
    """How many of the sorted numbers are below, or with ``right`` not above; NaN is above all, as torch has it."""
    import torch

    if sorter is not None:
        boundaries = torch.gather(boundaries, -1, sorter)
    if not isinstance(values, torch.Tensor):
        values = torch.full((), values, dtype=boundaries.dtype)
    spread = boundaries if boundaries.ndim == 1 else boundaries.unsqueeze(-2)
    sought = values.unsqueeze(-1)
    above = spread > sought if right or side == "right" else spread >= sought
    return torch.logical_not(above).sum(-1, dtype=torch.int32 if out_int32 else torch.int64)


@decomposition("aten::bucketize")
def bucketize(values: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Any:
    return searchsorted(boundaries, values, out_int32=out_int32, right=right)


@decomposition("aten::isin")
def isin(elements: Any, tested: Any, *, assume_unique: bool = False, invert: bool = False) -> Any:
    """:param assume_unique: is of how it is computed, not of what."""
    import torch

    del assume_unique
    if not isinstance(tested, torch.Tensor):
        found = elements == tested
    elif not isinstance(elements, torch.Tensor):
        found = (tested == elements).any()
    else:
        found = (elements.unsqueeze(-1) == tested.flatten()).any(-1)
    return torch.logical_not(found) if invert else found


@decomposition("aten::nonzero_static")
def nonzero_static(x: Any, *, size: int, fill_value: int = -1) -> Any:
    """The first ``size`` places that are not zero: the k-th is after all those before which there are fewer than k."""
    import torch

    from converters.torch_ops.sizes import fixed

    before = (x != 0).flatten().to(torch.int64).cumsum(0)
    count = torch.arange(1, size + 1).unsqueeze(-1)
    place = (before < count).to(torch.int64).sum(-1)
    there = place < before.shape[0]
    found = []
    stride = 1
    for axis in range(x.ndim - 1, -1, -1):
        along = torch.div(place, stride, rounding_mode="floor") if stride > 1 else place
        if axis > 0:
            length = fixed(x, axis)
            along = along % length
            stride *= length
        found.append(torch.where(there, along, fill_value))
    return torch.stack(found[::-1], -1) if found else place.new_zeros(size, 0)


@decomposition("aten::put")
def put(x: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """Into the flat tensor; an index below 0 is from its end."""
    import torch

    flat = x.flatten()
    places = index.flatten()
    places = torch.where(places < 0, places + flat.shape[0], places)
    return flat.index_put((places,), source.flatten(), accumulate).reshape(x.shape)
