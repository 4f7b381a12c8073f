"""Bessel functions of the first and of the second kind, of orders 0 and 1."""

from __future__ import annotations

import math
from typing import Any

from converters.torch_ops.series import of_real_numbers, polynomial, where
from converters.translations import decomposition

# Rational functions of Cephes' j0 and j1 (S. L. Moshier), with zeros divided out: R in x^2 for |x| <= 5; for larger
# ones P and Q in 25 / x^2, of amplitude and phase. Y: of what is left of the second kind without its logarithm, in x^2.
J0_PP = (
    0.0007969367292973471, 0.08283523921074408, 1.239533716464143, 5.447250030587687, 8.74716500199817,
    5.303240382353949, 1.0,
)  # fmt: skip
J0_PQ = (
    0.0009244088105588637, 0.08562884743544745, 1.2535274390105895, 5.470977403304171, 8.761908832370695,
    5.306052882353947, 1.0,
)  # fmt: skip
J0_QP = (
    -0.011366383889846916, -1.2825271867050931, -19.553954425773597, -93.20601521237683, -177.68116798048806,
    -147.07750515495118, -51.41053267665993, -6.050143506007285,
)  # fmt: skip
J0_QQ = (
    64.3178256118178, 856.4300259769806, 3882.4018360540163, 7240.467741956525, 5930.727011873169,
    2062.0933166032783, 242.0057402402914,
)  # fmt: skip
J0_RP = (
    -4794432209.782018, 1956174919465.5657, -249248344360967.72, 9708622510473064.0,
)  # fmt: skip
J0_RQ = (
    499.563147152651, 173785.4016763747, 48440965.83399621, 11185553704.535683, 2112775201154.892,
    310518229857422.56, 3.1812195594320496e+16, 1.7108629408104315e+18,
)  # fmt: skip
J1_PP = (
    0.0007621256162081731, 0.07313970569409176, 1.1271960812968493, 5.112079511468076, 8.424045901417724,
    5.214515986823615, 1.0,
)  # fmt: skip
J1_PQ = (
    0.0005713231280725487, 0.06884559087544954, 1.105142326340617, 5.073863861286015, 8.399855543276042,
    5.209828486823619, 1.0,
)  # fmt: skip
J1_QP = (
    0.05108625947501766, 4.982138729512334, 75.82382841325453, 366.7796093601508, 710.8563049989261,
    597.4896124006136, 211.68875710057213, 25.207020585802372,
)  # fmt: skip
J1_QQ = (
    74.23732770356752, 1056.4488603826283, 4986.410583376536, 9562.318924047562, 7997.041604473507,
    2826.1927851763908, 336.0936078106983,
)  # fmt: skip
J1_RP = (
    -899971225.7055594, 452228297998.19403, -72749424522181.83, 3682957328638529.0,
)  # fmt: skip
J1_RQ = (
    620.8364781180543, 256987.25675774884, 83514679.14319493, 22151159547.97925, 4749141220799.914,
    784369607876235.9, 8.952223361846274e+16, 5.322786203326801e+18,
)  # fmt: skip
Y0_P = (
    15592.436785523574, -14663929.59039716, 5435264770.518765, -982136065717.9115, 87590639439536.7,
    -3466283033847297.0, 4.4273326857256984e+16, -1.8495080043698668e+16,
)  # fmt: skip
Y0_Q = (
    1041.2835366425984, 626107.330137135, 268919633.39381415, 86400248710.3935, 20297961275010.555,
    3171577528429750.5, 2.5059625617265306e+17,
)  # fmt: skip
Y1_P = (
    1263204747.9017804, -647355876379.1603, 114509511541823.73, -8127702555013251.0, 2.024394757135949e+17,
    -7.788771962659501e+17,
)  # fmt: skip
Y1_Q = (
    594.3015923461282, 235564.09294306856, 73481194.44597217, 18760131610.870617, 3882312774962.3857,
    620557727146953.8, 6.871410873553005e+16, 3.9727060811656064e+18,
)  # fmt: skip


@decomposition("aten::special_bessel_j0")
@of_real_numbers
def j0(x: Any) -> Any:
    a = x.abs()
    square = a.clamp(max=5) ** 2
    low = (square - 5.78318596294678452118) * (square - 30.4712623436620863991)
    low = low * polynomial(square, J0_RP) / polynomial(square, J0_RQ)
    return where(a <= 5, low, _far(a, 0, second=False))


@decomposition("aten::special_bessel_j1")
@of_real_numbers
def j1(x: Any) -> Any:
    a = x.abs()
    small = a.clamp(max=5)
    square = small * small
    low = polynomial(square, J1_RP) / polynomial(square, J1_RQ) * small
    low = low * (square - 14.6819706421238932572) * (square - 49.2184563216946036703)
    found = where(a <= 5, low, _far(a, 1, second=False))
    return where(x < 0, -found, found)


@decomposition("aten::special_bessel_y0")
@of_real_numbers
def y0(x: Any) -> Any:
    import torch

    small = where((x > 0) & (x <= 5), x, 5.0)
    square = small * small
    low = polynomial(square, Y0_P) / polynomial(square, Y0_Q) + 2 / math.pi * torch.log(small) * j0(small)
    return _edges(x, where(x <= 5, low, _far(x, 0, second=True)))


@decomposition("aten::special_bessel_y1")
@of_real_numbers
def y1(x: Any) -> Any:
    import torch

    small = where((x > 0) & (x <= 5), x, 5.0)
    square = small * small
    low = small * (polynomial(square, Y1_P) / polynomial(square, Y1_Q))
    low = low + 2 / math.pi * (j1(small) * torch.log(small) - 1 / small)
    return _edges(x, where(x <= 5, low, _far(x, 1, second=True)))


def _edges(x: Any, found: Any) -> Any:
    """Infinite at 0, and NaN below."""
    import torch

    return where(x > 0, found, where(x == 0, -math.inf, torch.full_like(x, math.nan)))


def _far(x: Any, order: int, *, second: bool) -> Any:
    """sqrt(2 / (pi x)) (P cos(x - phase) - 5 / x Q sin(x - phase)), and with sin and cos for the second kind."""
    import torch

    x = x.clamp(min=5)
    z = 25 / (x * x)
    pp, pq, qp, qq = (J0_PP, J0_PQ, J0_QP, J0_QQ) if order == 0 else (J1_PP, J1_PQ, J1_QP, J1_QQ)
    p, q = polynomial(z, pp) / polynomial(z, pq), 5 / x * (polynomial(z, qp) / polynomial(z, qq))
    turned = x - (math.pi / 4 if order == 0 else 3 * math.pi / 4)
    sine, cosine = torch.sin(turned), torch.cos(turned)
    wave = p * sine + q * cosine if second else p * cosine - q * sine
    return wave * math.sqrt(2 / math.pi) / torch.sqrt(x)


@decomposition("aten::special_spherical_bessel_j0")
@of_real_numbers
def spherical_j0(x: Any) -> Any:
    """sin(x) / x, by its series below 0.5."""
    import torch

    small = where(x.abs() < 0.5, x, 0.5)
    series = polynomial(small * small, (1 / 6227020800, -1 / 39916800, 1 / 362880, -1 / 5040, 1 / 120, -1 / 6, 1.0))
    return where(x.abs() < 0.5, series, where(torch.isinf(x), 0.0, torch.sin(x) / x))
