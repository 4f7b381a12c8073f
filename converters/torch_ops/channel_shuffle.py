"""native_channel_shuffle, whose tracing would fix the batch."""

from __future__ import annotations

from typing import Any

from converters.translations import stand_in


@stand_in("torch.native_channel_shuffle", "torch.nn.functional.native_channel_shuffle")
def native_channel_shuffle(input: Any, groups: int) -> Any:
    """Channels, as groups by members, the other way round."""
    split = input.reshape(input.shape[0], groups, -1, *input.shape[2:])
    return split.transpose(1, 2).reshape(input.shape[0], -1, *input.shape[2:])
