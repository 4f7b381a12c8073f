"""Signs of numbers, zeros included."""

from __future__ import annotations

from typing import Any

from converters.translations import decomposition


@decomposition("aten::signbit")
def signbit(x: Any) -> Any:
    """Is the number below zero, or zero from below? 1 / -0 is -inf. NaN has a sign too, which is not seen here."""
    if not x.is_floating_point():
        return x < 0
    return _negative(x)


@decomposition("aten::copysign")
def copysign(x: Any, y: Any) -> Any:
    """|x| with the sign of y"""
    import torch

    size = x.abs() if x.is_floating_point() else x.abs().to(torch.get_default_dtype())
    if not isinstance(y, torch.Tensor):
        below = str(float(y)).startswith("-")  # -0.0 too
        return -size if below else size
    together: Any = torch.broadcast_tensors  # has no annotations
    size, y = together(size, y)
    return torch.where(_negative(y) if y.is_floating_point() else y < 0, -size, size)


def _negative(x: Any) -> Any:
    import torch

    return torch.where(x == 0, x.reciprocal(), x) < 0
