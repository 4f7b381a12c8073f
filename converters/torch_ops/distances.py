"""Distances between the rows of matrices, in any norm."""

from __future__ import annotations

import math
from typing import Any

from converters.torch_ops.sizes import fixed
from converters.translations import decomposition


@decomposition("aten::cdist", "aten::_cdist_forward")
def cdist(x: Any, y: Any, p: float = 2.0, compute_mode: int | None = None) -> Any:
    """Of each row of x and each of y.

    :param compute_mode: by a product of matrices or not: the numbers are the same, here those of not.
    """
    del compute_mode
    return _norm(x.unsqueeze(-2) - y.unsqueeze(-3), p)


@decomposition("aten::pdist", "aten::_pdist_forward")
def pdist(x: Any, p: float = 2.0) -> Any:
    """Of each row and those after it."""
    import torch

    count = fixed(x, 0)
    if count < 2:
        return x.new_zeros(0)
    return _norm(torch.cat([x[i : i + 1] - x[i + 1 :] for i in range(count - 1)]), p)


def _norm(difference: Any, p: float) -> Any:
    size = difference.abs()
    if p == 0:
        return (size != 0).to(size.dtype).sum(-1)
    if p == 1:
        return size.sum(-1)
    if p == 2:
        return (size * size).sum(-1).sqrt()
    if math.isinf(p):
        return size.amax(-1)
    return size.pow(p).sum(-1).pow(1 / p)
