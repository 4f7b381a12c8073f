"""Covariances and correlations, which torch checks by values that a trace has not."""

from __future__ import annotations

from typing import Any

from converters.translations import stand_in


@stand_in("torch.cov")
def cov(input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """X X^T / (n - correction) of rows without their means: each row is a variable."""
    if fweights is not None or aweights is not None:
        raise NotImplementedError("cov with weights")
    rows = input.reshape(-1, input.shape[-1]) if input.ndim < 2 else input
    centred = rows - rows.mean(-1, keepdim=True)
    found = centred @ centred.mT / (rows.shape[-1] - correction)
    return found[0, 0] if input.ndim < 2 else found


@stand_in("torch.corrcoef")
def corrcoef(input: Any) -> Any:
    """cov(x) over the products of standard deviations, within -1 and 1"""
    import torch

    found = cov(input)
    if input.ndim < 2:
        return found / found
    spread = torch.diagonal(found).sqrt()
    return (found / spread[:, None] / spread[None, :]).clamp(-1, 1)
