"""The logarithm of the gamma function, and its derivatives."""

from __future__ import annotations

import math
from typing import Any

from converters.torch_ops.series import of_real_numbers, polynomial, where
from converters.torch_ops.zeta import hurwitz
from converters.translations import decomposition

#: log(gamma(2 + t)) / t for 0 <= t <= 1, the highest power first: interpolated at the zeros of a Chebyshev polynomial.
NEAR_TWO = (
    -1.4422734130504119e-08, 1.9548872315644094e-07, -1.0345200345862421e-06, 2.932056970835976e-06,
    -4.664165700751969e-06, 2.4072490592215815e-06, 9.203123616712783e-06, -3.701294720736792e-05,
    9.539262222807612e-05, -0.00022163667283007653, 0.0005092661397721605, -0.0011926807119100606,
    0.0028905019661534925, -0.007385550541637394, 0.020580808427473247, -0.06735230105462305, 0.32246703342408883,
    0.4227843350984668,
)  # fmt: skip
#: The series of log(gamma) for large x in 1 / x^2, the highest power first: B_2n / (2n (2n - 1)).
STIRLING = (-691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12)
#: The same of digamma: B_2n / 2n.
PSI = (1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12)
#: From here on, the series for large x.
LARGE = 8


@decomposition("aten::lgamma", "aten::special_gammaln")
@of_real_numbers
def lgamma(x: Any) -> Any:
    """log|gamma(x)|: brought to 2 <= x <= 3 below 8, Stirling's series above, reflected below 0.

    Its zeros at 1 and 2 are exact. Source: Abramowitz and Stegun, 6.1.15, 6.1.17 and 6.1.40.
    """
    import torch

    a = x.abs()
    large = a.clamp(min=LARGE)
    series = polynomial(1 / (large * large), STIRLING) / large
    stirling = large * (torch.log(large) - 1) - 0.5 * torch.log(large) + 0.5 * math.log(2 * math.pi) + series
    found = where(a < LARGE, _small(a.clamp(max=LARGE)), stirling)
    found = where(torch.isinf(a), math.inf, found)
    sine = torch.sin(math.pi * (a - a.round())).abs()
    reflected = math.log(math.pi) - torch.log(sine) - torch.log(a) - found
    whole = (a == a.floor()) | torch.isinf(x)
    return where(x > 0, found, where(torch.isnan(x), x, where(whole, math.inf, reflected)))


def _small(a: Any) -> Any:
    """0 <= a <= 8 by gamma(1 + x) = x gamma(x)."""
    import torch

    steps = (a.floor() - 2).clamp(max=LARGE - 3)
    near = a - steps
    up, down = torch.ones_like(a), torch.ones_like(a)
    for k in range(LARGE - 3):
        up = where(steps > k, up * (near + k), up)
    for k in range(2):
        down = where(steps < -k, down * (a + k), down)
    t = near - 2
    return t * polynomial(t, NEAR_TWO) + torch.log(up) - torch.log(down)


@decomposition("aten::digamma", "aten::special_psi")
@of_real_numbers
def digamma(x: Any) -> Any:
    """Its asymptotic series from x + 10 on, reflected below 0; as Cephes' psi (S. L. Moshier) has it."""
    import torch

    negative = x < 0
    y = where(negative, 1 - x, x)
    shifted = y + 10
    below = sum(1 / (y + k) for k in range(9, -1, -1))
    z = 1 / (shifted * shifted)
    found = torch.log(shifted) - 0.5 / shifted - z * polynomial(z, PSI) - below
    part = x - x.round()
    whole = negative & (part == 0)
    angle = math.pi * where(whole | ~negative, 0.25, part)
    found = where(negative, found - math.pi / torch.tan(angle), found)
    # of 0, the infinity of the sign that 0 has not
    return where(x == 0, -1 / x, where(whole, math.nan, found))


@decomposition("aten::polygamma", "aten::special_polygamma")
def polygamma(n: int, x: Any) -> Any:
    """The n-th derivative of digamma: (-1)^(n + 1) n! zeta(n + 1, x) from n = 2 on."""
    found: Any = digamma(x) if n == 0 else trigamma(x) if n == 1 else _derivative(x, n)
    return found


@of_real_numbers
def trigamma(x: Any) -> Any:
    """Its asymptotic series from x + 6 on, reflected below 0.5."""
    import torch

    low = x < 0.5
    y = where(low, 1 - x, x)
    below = sum(1 / ((y + k) * (y + k)) for k in range(5, -1, -1))
    y = y + 6
    z = 1 / (y * y)
    found = below + (1 + 1 / (2 * y) + z * (1 / 6 - z * (1 / 30 - z / 42))) / y
    sine = torch.sin(math.pi * where(low, x, 0.5))
    return where(low, math.pi**2 / (sine * sine) - found, found)


@of_real_numbers
def _derivative(x: Any, n: int) -> Any:
    return (-1.0) ** (n + 1) * math.factorial(n) * hurwitz(x.new_full((), n + 1), x)
