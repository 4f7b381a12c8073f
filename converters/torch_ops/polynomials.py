"""torch.special's orthogonal polynomials, by their recurrences in three terms, of a degree that is a number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from converters.translations import decomposition

if TYPE_CHECKING:
    from torch import Tensor

#: The next polynomial from k, x and the two before: p_(k+1)(k, x, p_k, p_(k-1)).
Next = Callable[[int, Any, Any, Any], Any]

#: Degrees that are unrolled.
HIGHEST = 500
#: From these degrees on torch takes the trigonometric form inside (-1, 1), which is the more exact there.
_TRIGONOMETRIC = {"t": 6, "u": 8, "v": 8, "w": 8}
_SHIFTED_TRIGONOMETRIC = {"t": 6, "u": 6, "v": 6, "w": 4}


def _degree(n: Any, operator: str) -> int:
    import torch

    if isinstance(n, torch.Tensor):
        raise NotImplementedError(f"{operator} of a degree that is a tensor: it says how often the recurrence is taken")
    if n > HIGHEST:
        raise NotImplementedError(f"{operator} of degree {n}: the recurrence is unrolled up to {HIGHEST}")
    return int(n)


def _recurrence(x: Tensor, n: int, first: Any, then: Next) -> Tensor:
    """p_0 = 1, p_1 = first; 0 for degrees below 0, as in torch."""
    if n < 1:
        return x * 0 + (1.0 if n == 0 else 0.0)
    before, here = 1.0 + x * 0, first
    for k in range(1, n):
        before, here = here, then(k, x, here, before)
    return here  # type: ignore[no-any-return]


def _chebyshev(x: Any, kind: str, degree: int, beyond: int) -> Tensor:
    """T, U, V and W differ in their first: x, 2x, 2x - 1, 2x + 1."""
    import torch

    first = {"t": x, "u": x + x, "v": x + x - 1, "w": x + x + 1}[kind]
    value = _recurrence(x, degree, first, lambda _, x, here, before: (x + x) * here - before)
    if degree <= beyond:
        return value
    inside = x.abs() < 1
    angle = torch.where(inside, x, torch.zeros_like(x)).acos()
    half = angle / 2
    trigonometric = {
        "t": lambda: (degree * angle).cos(),
        "u": lambda: ((degree + 1) * angle).sin() / angle.sin(),
        "v": lambda: ((degree + 0.5) * angle).cos() / half.cos(),
        "w": lambda: ((degree + 0.5) * angle).sin() / half.sin(),
    }[kind]()
    return torch.where(inside, trigonometric, value)


def _register(operator: str, compute: Callable[[Any, int], Any]) -> None:
    name = f"special_{operator}"

    def polynomial(x: Any, n: Any) -> Any:
        import torch

        degree = _degree(n, f"torch.special.{operator}")
        x = x if isinstance(x, torch.Tensor) else torch.tensor(float(x))
        return compute(x if x.is_floating_point() else x.to(torch.float32), degree)

    polynomial.__doc__ = f"{operator}, its degree a number"
    decomposition(f"aten::{name}")(polynomial)


def _hermite_h(x: Any, n: int) -> Any:
    """H_(k+1) = 2x H_k - 2k H_(k-1); beyond degree 128 torch gives NaN in float32, and 512 in float64"""
    import torch

    if n > (512 if x.dtype == torch.float64 else 128):
        return x * 0 + math.nan
    return _recurrence(x, n, x + x, lambda k, x, here, before: (x + x) * here - 2 * k * before)


def _hermite_he(x: Any, n: int) -> Any:
    """He_(k+1) = x He_k - k He_(k-1)"""
    import torch

    if n > (512 if x.dtype == torch.float64 else 128):
        return x * 0 + math.nan
    return _recurrence(x, n, x, lambda k, x, here, before: x * here - k * before)


def _laguerre(x: Any, n: int) -> Any:
    """(k + 1) L_(k+1) = (2k + 1 - x) L_k - k L_(k-1)"""
    return _recurrence(
        x, n, 1 - x, lambda k, x, here, before: ((2 * k + (1 - x)) * here - k * before) / (k + 1)
    )  # fmt: skip


def _legendre(x: Any, n: int) -> Any:
    """(k + 1) P_(k+1) = (2k + 1) x P_k - k P_(k-1)"""
    return _recurrence(x, n, x, lambda k, x, here, before: ((2 * k + 1) * x * here - k * before) / (k + 1))


def _register_chebyshev(kind: str) -> None:
    _register(f"chebyshev_polynomial_{kind}", lambda x, n: _chebyshev(x, kind, n, _TRIGONOMETRIC[kind]))
    _register(
        f"shifted_chebyshev_polynomial_{kind}",
        lambda x, n: _chebyshev(x + x - 1, kind, n, _SHIFTED_TRIGONOMETRIC[kind]),
    )


for _kind in "tuvw":
    _register_chebyshev(_kind)
_register("hermite_polynomial_h", _hermite_h)
_register("hermite_polynomial_he", _hermite_he)
_register("laguerre_polynomial_l", _laguerre)
_register("legendre_polynomial_p", _legendre)
