"""fmax and fmin: the larger and the smaller of two numbers, where NaN is none."""

from __future__ import annotations

from typing import Any

from converters.translations import decomposition


@decomposition("aten::fmax")
def fmax(x: Any, y: Any) -> Any:
    import torch

    return _of_numbers(torch.maximum, x, y)


@decomposition("aten::fmin")
def fmin(x: Any, y: Any) -> Any:
    import torch

    return _of_numbers(torch.minimum, x, y)


def _of_numbers(larger: Any, x: Any, y: Any) -> Any:
    import torch

    dtype = torch.promote_types(x.dtype, y.dtype)
    together: Any = torch.broadcast_tensors  # has no annotations
    x, y = together(x.to(dtype), y.to(dtype))
    if not dtype.is_floating_point:
        return larger(x, y)
    return torch.where(torch.isnan(x), y, torch.where(torch.isnan(y), x, larger(x, y)))
