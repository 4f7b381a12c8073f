"""Models prepared for quantisation-aware training: their rounding, exported as the arithmetic that it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    import torch


@contextlib.contextmanager
def settled(module: torch.nn.Module) -> Iterator[tuple[str, ...]]:
    """Context in which FakeQuantize modules round as they do now, and observe no more; gives notes for the user.

    In evaluation mode too they go on moving their scales with what they see, until their observers are turned off.
    """
    parts: list[Any] = [part for part in module.modules() if _is_fake_quantize(part)]
    observing = [part for part in parts if int(part.observer_enabled[0])]
    with contextlib.ExitStack() as stack:
        for part in parts:
            stack.enter_context(mock.patch.object(part, "forward", _as_trained(part)))
        notes = []
        if parts:
            notes.append(f"the FakeQuantize modules ({len(parts)}) are exported as arithmetic: round, clamp, scale")
        if observing:
            notes.append(f"the observers of {len(observing)} of them were on; their scales are taken as they stand")
        yield tuple(notes)


@contextlib.contextmanager
def observers_off(module: torch.nn.Module) -> Iterator[None]:
    """Context in which FakeQuantize modules leave their scales as they are; their observers are put back afterwards."""
    parts: list[Any] = [part for part in module.modules() if _is_fake_quantize(part)]
    held = [(part, part.observer_enabled.clone()) for part in parts]
    try:
        for part, _ in held:
            part.disable_observer()
        yield
    finally:
        for part, enabled in held:
            part.observer_enabled.copy_(enabled)


@contextlib.contextmanager
def as_arithmetic() -> Iterator[None]:
    """Context of an exporter, in which the functions of torch that round so are arithmetic."""
    import torch

    names = ("fake_quantize_per_tensor_affine", "fake_quantize_per_channel_affine")
    with contextlib.ExitStack() as stack:
        for name, function in zip(names, (_per_tensor, _per_channel), strict=True):
            stack.enter_context(mock.patch.object(torch, name, function))
        yield


def _is_fake_quantize(part: Any) -> bool:
    from torch.ao.quantization import FakeQuantize

    return isinstance(part, FakeQuantize)


def _as_trained(part: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    if not int(part.fake_quant_enabled[0]):
        return lambda x: x
    scale, zero = part.scale.detach().clone(), part.zero_point.detach().clone()
    low, high = int(part.activation_post_process.quant_min), int(part.activation_post_process.quant_max)
    if part.is_per_channel:
        return lambda x: _per_channel(x, scale, zero, part.ch_axis, low, high)
    factor, offset = float(scale), float(zero)
    return lambda x: _per_tensor(x, factor, offset, low, high)


def _per_tensor(x: torch.Tensor, scale: Any, zero_point: Any, quant_min: int, quant_max: int) -> torch.Tensor:
    return _rounded(x, scale, zero_point, quant_min, quant_max)


def _per_channel(
    x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, axis: int, quant_min: int, quant_max: int
) -> torch.Tensor:
    sizes = [1] * x.ndim
    sizes[axis] = -1
    return _rounded(x, scale.reshape(sizes), zero_point.reshape(sizes).to(x.dtype), quant_min, quant_max)


def _rounded(x: torch.Tensor, scale: Any, zero: Any, low: int, high: int) -> torch.Tensor:
    """(clamp(round(x / s) + z) - z) s; torch multiplies by the reciprocal of s, in float32"""
    import torch

    inverse = 1 / (scale if isinstance(scale, torch.Tensor) else torch.tensor(scale, dtype=x.dtype))
    rounded: torch.Tensor = torch.clamp(torch.round(x * inverse) + zero, low, high)
    return torch.mul(rounded - zero, scale)
