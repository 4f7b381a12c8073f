"""Sizes that a translation needs as numbers."""

from __future__ import annotations

from typing import Any


def fixed(x: Any, axis: int) -> int:
    """A tensor's size.

    :raises NotImplementedError: it is open.
    """
    import torch

    size = x.shape[axis]
    if isinstance(size, torch.SymInt):
        raise NotImplementedError(
            f"the size of axis {axis % x.ndim} of {tuple(x.shape)} is open: it has to be a number"
        )
    return int(size)  # while torch.jit.trace runs, it is a tensor
