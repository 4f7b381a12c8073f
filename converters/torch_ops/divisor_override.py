"""Average pools that divide by a number of the user's, which the exporters forget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from converters.translations import decomposition


@decomposition("aten::avg_pool2d")
def avg_pool2d(x: Any, *given: Any, **named: Any) -> Any:
    """As torch.nn.functional.avg_pool2d."""
    return _pooled("avg_pool2d", 2, x, *given, **named)


@decomposition("aten::avg_pool3d")
def avg_pool3d(x: Any, *given: Any, **named: Any) -> Any:
    """As torch.nn.functional.avg_pool3d."""
    return _pooled("avg_pool3d", 3, x, *given, **named)


def _pooled(
    name: str, axes: int, x: Any, kernel_size: Sequence[int], stride: Sequence[int] = (),
    padding: Sequence[int] | int = 0, ceil_mode: bool = False, count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:  # fmt: skip
    """The mean of whole windows, times the elements of a window, over the divisor."""
    import torch

    del count_include_pad  # what is divided by is given
    if divisor_override is None:
        return NotImplemented
    if ceil_mode:
        raise NotImplementedError("divisor_override with ceil_mode")
    sizes = list(kernel_size) * (axes if len(kernel_size) == 1 else 1)
    pool = getattr(torch.nn.functional, name)
    return pool(x, sizes, list(stride) or sizes, padding) * (math.prod(sizes) / divisor_override)
