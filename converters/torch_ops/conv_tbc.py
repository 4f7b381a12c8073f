"""conv_tbc, whose tracing would fix time and batch: a convolution of steps, batch and channels, in that order."""

from __future__ import annotations

from typing import Any

from converters.translations import stand_in


@stand_in("torch.nn.functional.conv_tbc", "torch.conv_tbc")
def conv_tbc(input: Any, weight: Any, bias: Any, pad: int = 0) -> Any:
    """As conv1d, of [T, N, channels] and weights [width, in, out]."""
    import torch

    made = torch.nn.functional.conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad)
    return made.permute(2, 0, 1)
