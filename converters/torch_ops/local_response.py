"""CrossMapLRN2d, which torch computes in Python over the channels of one batch."""

from __future__ import annotations

from typing import Any

from converters.torch_ops.sizes import fixed
from converters.translations import stand_in


@stand_in("torch.nn.CrossMapLRN2d.forward")
def forward(self: Any, input: Any) -> Any:
    """x / (k + alpha / size sum of x^2 over the channels around)^beta.

    As torch has it: the first channel, once it is in the sum, is never taken out of it.
    """
    import torch

    squares = input * input
    reach = (self.size - 1) // 2 + 1
    sums = []
    for channel in range(fixed(input, 1)):
        around = squares[:, max(0, channel - reach + 1) : channel + reach].sum(1)
        sums.append(around + squares[:, 0] if channel >= reach else around)
    scale = torch.stack(sums, 1) * (self.alpha / self.size) + self.k
    return input * scale.pow(-self.beta)
