"""Relatives of the error function: its inverse, scaled, and as the normal distribution has it."""

from __future__ import annotations

import math
from typing import Any

from converters.torch_ops.series import chebyshev, of_real_numbers, polynomial, where
from converters.translations import decomposition

#: (1 + 2 x) exp(x^2) erfc(x) for x >= 0, in 2 (x - 3.75) / (x + 3.75), as :func:`chebyshev` takes it; computed with
#: mpmath. The form: M. Shepherd, J. Laframboise, Mathematics of Computation 36 (1981) 249.
ERFCX = (
    -2.187342950854826e-18, -2.2370566535219128e-18, 5.068148904898018e-17, 7.41823525660353e-17,
    -1.2507950530689464e-15, -1.864562880419312e-15, 3.3478119482868056e-14, 3.25254814814874e-14,
    -9.65469674843344e-13, 1.9455868545777347e-13, 2.86879501093067e-11, -6.318088340886684e-11,
    -7.754400208831351e-10, 4.521959811218287e-09, 1.076499946567091e-08, -2.1886401049234397e-07,
    7.74038306619849e-07, 4.13902798607301e-06, -6.916973302501207e-05, 0.0004907758365258086, -0.002413163540417608,
    0.009074997670705265, -0.026658668435305753, 0.05920993999819189, -0.08424913336651792, -0.004590054580646478,
    2.3551578691348034,
)  # fmt: skip
#: Of Cephes' ndtri: in (p - 1/2)^2, and in 1 / x with x = sqrt(-2 log p) below and above 8.
P0 = (
    -59.96335010141079, 98.00107541859997, -56.67628574690703, 13.931260938727968, -1.2391658386738125,
)  # fmt: skip
Q0 = (
    1.0, 1.9544885833814176, 4.676279128988815, 86.36024213908905, -225.46268785411937, 200.26021238006066,
    -82.03722561683334, 15.90562251262117, -1.1833162112133,
)  # fmt: skip
P1 = (
    4.0554489230596245, 31.525109459989388, 57.16281922464213, 44.08050738932008, 14.684956192885803,
    2.1866330685079025, -0.1402560791713545, -0.03504246268278482, -0.0008574567851546854,
)  # fmt: skip
Q1 = (
    1.0, 15.779988325646675, 45.39076351288792, 41.3172038254672, 15.04253856929075, 2.504649462083094,
    -0.14218292285478779, -0.03808064076915783, -0.0009332594808954574,
)  # fmt: skip
P2 = (
    3.2377489177694603, 6.915228890689842, 3.9388102529247444, 1.3330346081580755, 0.20148538954917908,
    0.012371663481782003, 0.00030158155350823543, 2.6580697468673755e-06, 6.239745391849833e-09,
)  # fmt: skip
Q2 = (
    1.0, 6.02427039364742, 3.6798356385616087, 1.3770209948908132, 0.21623699359449663, 0.013420400608854318,
    0.00032801446468212774, 2.8924786474538068e-06, 6.790194080099813e-09,
)  # fmt: skip


@decomposition("aten::erfinv", "aten::special_erfinv")
@of_real_numbers
def erfinv(y: Any) -> Any:
    """Rational approximations, made exact by two of Newton's steps: as torch computes it (G. L. Pavlis, 1996)."""
    import torch

    a = y.abs()
    square = y * y
    central = y * polynomial(square, (-0.140543331, 0.914624893, -1.645349621, 0.886226899))
    central = central / polynomial(square, (0.012229801, -0.329097515, 1.442710462, -2.118377725, 1.0))
    z = torch.sqrt(-torch.log((1 - a.clamp(0.7, 1.0)) / 2))
    z = where(a < 1, z, 1.0)
    outer = polynomial(z, (1.641345311, 3.429567803, -1.624906493, -1.970840454))
    outer = outer / polynomial(z, (1.637067800, 3.543889200, 1.0))
    x = where(a <= 0.7, central, where(y < 0, -outer, outer))
    for _ in range(2):
        x = x - (torch.erf(x) - y) / (2 / math.sqrt(math.pi) * torch.exp(-x * x))
    return where(a < 1, x, where(a == 1, y * math.inf, y * math.nan))


@decomposition("aten::special_erfcx")
@of_real_numbers
def erfcx(x: Any) -> Any:
    """exp(x^2) erfc(x): a Chebyshev series for x >= 0, and 2 exp(x^2) - erfcx(-x) below."""
    import torch

    found = _scaled(x.abs())
    return where(x >= 0, found, where(torch.isnan(x), x, 2 * torch.exp(x * x) - found))


def _scaled(a: Any) -> Any:
    t = where(a > 1e6, 2.0, 2 * (a - 3.75) / (a + 3.75))
    return chebyshev(t, ERFCX) / (1 + 2 * a)


@decomposition("aten::special_log_ndtr")
@of_real_numbers
def log_ndtr(x: Any) -> Any:
    """The logarithm of the normal distribution's cumulative function, by erfcx below -1."""
    import torch

    t = x * math.sqrt(0.5)
    low = torch.log(_scaled((-t).clamp(min=0)) / 2) - t * t
    return where(x < -1, low, torch.log1p(-torch.erfc(t.clamp(min=-1)) / 2))


@decomposition("aten::special_ndtri")
@of_real_numbers
def ndtri(p: Any) -> Any:
    """The normal distribution's quantile: rational approximations as in Cephes' ndtri (S. L. Moshier)."""
    import torch

    edge = math.exp(-2)
    above = p > 1 - edge
    y = where(above, 1 - p, p)
    middle = y - 0.5
    square = middle * middle
    central = middle + middle * (square * polynomial(square, P0) / polynomial(square, Q0))
    inside = (p > 0) & (p < 1)
    x = torch.sqrt(-2 * torch.log(where(inside & (y <= edge), y, edge)))
    z = 1 / x
    near = z * polynomial(z, P1) / polynomial(z, Q1)
    far = z * polynomial(z, P2) / polynomial(z, Q2)
    tail = x - torch.log(x) / x - where(x < 8, near, far)
    found = where(y > edge, central * math.sqrt(2 * math.pi), where(above, tail, -tail))
    ends = where(p == 0, -math.inf, where(p == 1, math.inf, p * math.nan))
    return where(inside, found, ends)
