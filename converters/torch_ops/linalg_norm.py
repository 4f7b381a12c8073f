"""Norms of matrices with an open batch, which torch.export cannot trace."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from converters.translations import stand_in

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@stand_in("torch.linalg.matrix_norm")
def matrix_norm(
    a: Tensor,
    ord: Any = "fro",
    dim: Any = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
    out: None = None,
) -> Any:
    """The largest or smallest sum of a column or row (1, inf), Frobenius's, and those by singular values"""
    del out
    import torch

    first, second = (int(d) % a.ndim for d in dim)
    a = a if dtype is None else a.to(dtype)
    if ord == "fro":
        return torch.linalg.vector_norm(a, 2, (first, second), keepdim=keepdim)
    if ord in ("nuc", 2, -2):
        values = torch.linalg.svdvals(torch.movedim(a, (first, second), (-2, -1)))
        found = values.sum(-1) if ord == "nuc" else values.amax(-1) if ord == 2 else values.amin(-1)
    else:
        summed, kept = (first, second) if abs(ord) == 1 else (second, first)
        if abs(ord) not in (1, math.inf):
            raise NotImplementedError(f"torch.linalg.matrix_norm of order {ord}")
        sums = a.abs().sum(summed, keepdim=True)
        found = sums.amax(kept, keepdim=True) if ord > 0 else sums.amin(kept, keepdim=True)
        found = found.squeeze((first, second))
    if not keepdim:
        return found
    for axis in sorted((first, second)):
        found = found.unsqueeze(axis)
    return found
