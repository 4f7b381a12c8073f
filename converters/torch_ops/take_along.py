"""torch.take_along_dim, whose tracing would fix the batch."""

from __future__ import annotations

from typing import Any

from converters.translations import stand_in


@stand_in("torch.take_along_dim")
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """gather, of tensors that are alike but for the axis"""
    import torch

    if dim is None:
        return torch.gather(input.flatten(), 0, indices.flatten())
    axis = dim % input.ndim
    together = [_together(a, b) for a, b in zip(input.shape, indices.shape, strict=True)]
    wide = input.expand([d if k != axis else -1 for k, d in enumerate(together)])
    chosen = indices.expand([d if k != axis else -1 for k, d in enumerate(together)])
    return torch.gather(wide, axis, chosen)


def _together(first: Any, second: Any) -> Any:
    """The size that two axes have together; that of the first, where it is not known to be 1."""
    return second if isinstance(first, int) and first == 1 else first
