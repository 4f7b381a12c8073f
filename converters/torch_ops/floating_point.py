"""Parts of floating-point numbers, and their neighbours."""

from __future__ import annotations

from typing import Any

from converters.torch_ops.series import where
from converters.translations import decomposition


@decomposition("aten::frexp")
def frexp(x: Any) -> Any:
    """x = m 2^e with 0.5 <= |m| < 1; the exponent of 0 and of what is not finite is 0."""
    import torch

    usual = torch.isfinite(x) & (x != 0)
    mantissa, exponent = _parts(where(usual, x, 1.0))
    return where(usual, mantissa, x), where(usual, exponent, 0.0).to(torch.int32)


def _parts(x: Any) -> tuple[Any, Any]:
    """Both as floats, of what is finite and not 0. The logarithm may be one off; scaled twice: 2^149 is no float32."""
    import torch

    exponent = torch.floor(torch.log2(x.abs())) + 1
    half = torch.floor(exponent / 2)
    mantissa = x * torch.exp2(-half) * torch.exp2(half - exponent)
    over, under = mantissa.abs() >= 1, mantissa.abs() < 0.5
    mantissa = where(over, mantissa * 0.5, where(under, mantissa * 2, mantissa))
    return mantissa, exponent + over.to(x.dtype) - under.to(x.dtype)


@decomposition("aten::nextafter")
def nextafter(x: Any, y: Any) -> Any:
    """One unit in the last place towards y: half as large below a power of two, and never below the smallest number."""
    import torch

    together: Any = torch.broadcast_tensors  # has no annotations
    x, y = together(x, y)
    if x.dtype not in (torch.float32, torch.float64):
        raise NotImplementedError(f"nextafter of {x.dtype}")
    kind = torch.finfo(x.dtype)
    digits, least = (24, 2.0**-149) if x.dtype == torch.float32 else (53, 5e-324)
    usual = torch.isfinite(x) & (x != 0)
    mantissa, exponent = _parts(where(usual, x, 1.0))
    inwards = (y < x) == (x > 0)
    exponent = exponent - ((mantissa.abs() == 0.5) & inwards).to(x.dtype)
    unit = _unit(exponent - digits, least)
    stepped = where(y > x, x + unit, x - unit)
    stepped = where(torch.isinf(x), where(x > 0, torch.full_like(x, kind.max), torch.full_like(x, -kind.max)), stepped)
    stepped = where(x == 0, where(y > x, torch.full_like(x, least), torch.full_like(x, -least)), stepped)
    return where(x == y, y, where(torch.isnan(x) | torch.isnan(y), x + y, stepped))


def _unit(exponent: Any, least: float) -> Any:
    """2^exponent, in two factors: half of it may be too small for one."""
    import torch

    half = torch.floor(exponent / 2)
    found = torch.exp2(half) * torch.exp2(exponent - half)
    return found.clamp(min=least)
