"""The regularised incomplete gamma functions: P(a, x), the lower, and Q(a, x) = 1 - P(a, x), the upper.

Three ways, as in torch, each of as many terms as its part of the plane takes: a series for x < a + 1, a continued
fraction for x beyond, and for large a Temme's expansion, which is uniform in x. Sources: the Digital Library of
Mathematical Functions, 8.11.4, 8.9.2 and 8.12.
"""

from __future__ import annotations

import functools
import math
from typing import Any

from converters.torch_ops.gamma import lgamma
from converters.torch_ops.series import of_real_numbers, polynomial, where
from converters.translations import decomposition

#: From this a on, Temme's expansion; orders in 1 / a, and terms of each in eta.
LARGE, ORDERS, TERMS = 20.0, 8, 26
#: Steps of the series and of the fraction that are enough for a <= LARGE, by the bytes of the dtype.
SERIES, FRACTION = {4: 40, 8: 64}, {4: 32, 8: 90}


@decomposition("aten::igamma", "aten::special_gammainc")
@of_real_numbers
def igamma(a: Any, x: Any) -> Any:
    return _edges(a, x, _lower_and_upper(a, x)[0], upper=False)


@decomposition("aten::igammac", "aten::special_gammaincc")
@of_real_numbers
def igammac(a: Any, x: Any) -> Any:
    return _edges(a, x, _lower_and_upper(a, x)[1], upper=True)


def _edges(a: Any, x: Any, found: Any, *, upper: bool) -> Any:
    """What torch says where there is a 0 or an infinity, and NaN for what is negative."""
    import torch

    none = torch.full_like(found, math.nan)
    least, most = (1.0, 0.0) if upper else (0.0, 1.0)
    found = where(torch.isnan(a) | torch.isnan(x), none, found)
    found = where(torch.isinf(x), most, found)
    found = where(torch.isinf(a), where(torch.isinf(x), none, least), found)
    found = where(x == 0, least, found)
    found = where(a == 0, where(x > 0, most, none), found)
    return where((x < 0) | (a < 0), none, found)


def _lower_and_upper(a: Any, x: Any) -> tuple[Any, Any]:
    import torch

    usual = (a > 0) & (x > 0) & torch.isfinite(a) & torch.isfinite(x)
    a, x = where(usual, a, 1.0), where(usual, x, 1.0)
    large = a > LARGE
    low, high = _temme(where(large, a, LARGE), where(large, x, LARGE))
    b, y = where(large, 1.0, a), where(large, 1.0, x)
    before = y < b + 1
    factor = torch.exp(b * torch.log(y) - y - lgamma(b))
    lower = factor * _series(b, where(before, y, 0.0))
    upper = factor * _fraction(b, where(before, b + 1, y))
    lower, upper = where(before, lower, 1 - upper), where(before, 1 - lower, upper)
    return where(large, low, lower), where(large, high, upper)


def _series(a: Any, x: Any) -> Any:
    """sum over k of x^k / (a (a + 1) ... (a + k))"""
    found = term = 1 / a
    for k in range(1, SERIES[x.dtype.itemsize]):
        term = term * (x / (a + k))
        found = found + term
    return found


def _fraction(a: Any, x: Any) -> Any:
    """1 / (x + 1 - a - 1 (1 - a) / (x + 3 - a - 2 (2 - a) / ...)), from its far end"""
    steps = FRACTION[x.dtype.itemsize]
    behind = x + (2 * steps + 1) - a
    for k in range(steps, 0, -1):
        behind = x + (2 * k - 1) - a - k * (k - a) / behind
    return 1 / behind


def _temme(a: Any, x: Any) -> tuple[Any, Any]:
    """P and Q = erfc(-+ eta sqrt(a / 2)) / 2 -+ R with eta^2 / 2 = x / a - 1 - log(x / a)."""
    import torch

    part = (x - a) / a
    eta = torch.sqrt(2 * _excess(part).clamp(min=0))
    eta = where(part < 0, -eta, eta)
    near = eta.clamp(-2, 2)  # the rest is below float32's least beyond
    rest = torch.zeros_like(a)
    for order in reversed(expansion()):
        rest = rest / a + polynomial(near, order[::-1])
    rest = rest * torch.exp(-0.5 * a * eta * eta) / torch.sqrt(2 * math.pi * a)
    wide = eta * torch.sqrt(a / 2)
    return 0.5 * torch.erfc(-wide) - rest, 0.5 * torch.erfc(wide) + rest


def _excess(u: Any) -> Any:
    """u - log(1 + u), which is u^2 / 2 - u^3 / 3 + ... near 0"""
    import torch

    small = u.clamp(-0.1, 0.1)
    # log(1 + u) = 2 artanh(s), s = u / (2 + u), and u = 2 s / (1 - s)
    s = small / (2 + small)
    square = s * s
    tail = polynomial(square, [2 / (2 * k + 1) for k in range(8, 0, -1)])
    return where(u.abs() < 0.1, small * s - s * square * tail, u - torch.log1p(u))


@functools.cache
def expansion() -> tuple[tuple[float, ...], ...]:
    """The coefficients d(k, n) of eta^n / a^k, by their recurrences (8.12.9 to 8.12.11, in fractions)."""
    from fractions import Fraction

    count = TERMS + 2 * ORDERS + 3
    alpha = [Fraction(0), Fraction(1)]
    for n in range(2, count):
        total = sum((j * alpha[j] * alpha[n - j + 1] for j in range(2, n)), Fraction(0))
        alpha.append((alpha[n - 1] - total) / (n + 1))
    first = [Fraction(-1, 3), *((n + 2) * alpha[n + 2] for n in range(1, count - 2))]
    rows = [first]
    odd = Fraction(1)
    for k in range(1, ORDERS):
        odd *= -(2 * k + 1)
        gamma = odd * alpha[2 * k + 1]  # (-1)^k times the coefficient of Stirling's series
        before = rows[-1]
        rows.append([gamma * first[n] + (n + 2) * before[n + 2] for n in range(len(before) - 2)])
    return tuple(tuple(map(float, row[:TERMS])) for row in rows)
