"""What translations of special functions have in common: polynomials, Chebyshev series, and which dtype to work in."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any


def polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """By Horner's rule, the highest power first."""
    found: Any = coefficients[0]
    for coefficient in coefficients[1:]:
        found = x * found + coefficient
    return found


def chebyshev(x: Any, coefficients: Sequence[float]) -> Any:
    """sum' c[n - 1 - k] T_k(x / 2) by Clenshaw's recurrence, the last coefficient halved: as Cephes has its tables.

    First terms that x's dtype cannot tell from none are left out.
    """
    import torch

    least = torch.finfo(x.dtype).eps / 32 * max(map(abs, coefficients))
    first = next(k for k, c in enumerate(coefficients) if abs(c) > least)
    last: Any = 0.0
    before: Any = coefficients[first]
    now = x * before + coefficients[first + 1]
    for coefficient in coefficients[first + 2 :]:
        last, before = before, now
        now = x * before - last + coefficient
    return 0.5 * (now - last)


def where(condition: Any, x: Any, y: Any) -> Any:
    """``torch.where`` whose numbers are of the other's dtype, not of torch's default one."""
    import torch

    if not isinstance(x, torch.Tensor):
        x = torch.full((), x, dtype=y.dtype)
    if not isinstance(y, torch.Tensor):
        y = torch.full((), y, dtype=x.dtype)
    return torch.where(condition, x, y)


def of_real_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """As torch takes an elementwise function's arguments: whole numbers as floats, and the tensors to one dtype.

    Of half floats, the function is computed in float32. Complex numbers raise NotImplementedError.
    """

    @functools.wraps(function)
    def computed(*arguments: Any, **named: Any) -> Any:
        import torch

        tensors = [a for a in arguments if isinstance(a, torch.Tensor)]
        dtype = functools.reduce(torch.promote_types, [t.dtype for t in tensors])
        if dtype.is_complex:
            raise NotImplementedError(f"{function.__name__} of complex numbers")
        if not dtype.is_floating_point:
            dtype = torch.get_default_dtype()
        work = torch.promote_types(dtype, torch.float32)
        found = function(*(a.to(work) if isinstance(a, torch.Tensor) else a for a in arguments), **named)
        return found.to(dtype)

    return computed
