"""The Airy function Ai."""

from __future__ import annotations

import math
from typing import Any

from converters.torch_ops.series import of_real_numbers, polynomial, where
from converters.translations import decomposition

# Rational functions of Cephes' airy (S. L. Moshier): A in 1 / zeta for large x, F and G in 1 / zeta^2 for large -x,
# with zeta = 2/3 |x|^(3/2).
AN = (
    0.346538101525629, 12.007595273964581, 76.27960536152345, 168.08922493463058, 159.75639135016442,
    70.53609068404442, 14.026469116338967, 1.0,
)  # fmt: skip
AD = (
    0.5675945326387702, 14.75625625848472, 84.51389701414746, 177.31808814540045, 164.2346928715297,
    71.47784008255756, 14.095913560783403, 1.0,
)  # fmt: skip
AFN = (
    -0.1316963234183318, -0.6264565444319123, -0.6931580360369335, -0.2797799815451191, -0.04919001326095003,
    -0.004062659235948854, -0.0001592764962392621, -2.776491081552329e-06, -1.6778769848911465e-08,
)  # fmt: skip
AFD = (
    13.356042070655324, 32.682503279522464, 26.736704094149957, 9.187074029072596, 1.4752914677166642,
    0.11568717379518804, 0.004402916416152112, 7.547203482874142e-05, 4.5185009297058035e-07,
)  # fmt: skip
AGN = (
    0.01973399320916857, 0.39110302961568827, 1.0657989759959559, 0.9391692298166502, 0.35146565610554764,
    0.06338889196289255, 0.005858041130483885, 0.000282851600836737, 6.98793669997261e-06, 8.117892395543892e-08,
    3.415517847659236e-10,
)  # fmt: skip
AGD = (
    9.30892908077442, 19.835292871831214, 15.564662893286462, 5.476860694229755, 0.9542936116189619,
    0.08645808263523921, 0.004126565238242226, 0.00010125908511650914, 1.1716673321441352e-06, 4.9183457006293e-09,
)  # fmt: skip

#: Between -NEAR and NEAR, the Maclaurin series; twelve terms are as many as float64 wants.
NEAR, TERMS = 2.09, 16


@decomposition("aten::special_airy_ai")
@of_real_numbers
def airy_ai(x: Any) -> Any:
    """As torch has it: NaN of the infinities, 0 beyond 103.892."""
    import torch

    far = x.abs().clamp(min=NEAR)
    root = torch.sqrt(far)
    zeta = 2 * far * root / 3
    z = 1 / zeta
    right = polynomial(z, AN) / polynomial(z, AD) / (2 * torch.sqrt(root) * torch.exp(zeta))
    square = z * z
    sine = 1 + square * (polynomial(square, AFN) / polynomial(square, AFD))
    cosine = z * polynomial(square, AGN) / polynomial(square, AGD)
    turned = zeta + 0.25 * math.pi
    left = (torch.sin(turned) * sine - torch.cos(turned) * cosine) / torch.sqrt(root)
    outer = where(x > 103.892, 0.0, where(x > 0, right, left)) / math.sqrt(math.pi)
    found = where(x.abs() < NEAR, _series(x.clamp(-NEAR, NEAR)), outer)
    return where(torch.isfinite(x), found, math.nan)


def _series(x: Any) -> Any:
    """Abramowitz and Stegun, 10.4.2."""
    import torch

    cube = x * x * x
    f, g = [1.0], [1.0]
    for k in range(1, TERMS):
        f.append(f[-1] / ((3 * k - 1) * (3 * k)))
        g.append(g[-1] / ((3 * k) * (3 * k + 1)))
    first = polynomial(cube, [0.355028053887817239260 * c for c in reversed(f)])
    second = polynomial(cube, [0.258819403792806798405 * c for c in reversed(g)])
    return first - torch.mul(x, second)
