"""Modules around functions. Imports PyTorch, and so is imported by cases when they are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn


class Calling(nn.Module):
    """Does ``call(*parts, *inputs)``; what the parts hold are the module's weights."""

    def __init__(self, call: Callable[..., Any], parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.call = call
        self.parts = nn.ModuleList(parts)

    def forward(self, *inputs: Any) -> Any:
        return self.call(*self.parts, *inputs)
