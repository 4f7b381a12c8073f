"""Modified Bessel functions of the second kind, of orders 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from converters.torch_ops.bessel_i import i0, i1
from converters.torch_ops.series import chebyshev, of_real_numbers, where
from converters.translations import decomposition

# Chebyshev series of Cephes' k0 and k1 (S. L. Moshier): of K0(x) + log(x / 2) I0(x) and x (K1(x) - log(x / 2) I1(x)) in
# x^2 - 2 for x <= 2, and of exp(x) sqrt(x) K(x) in 8 / x - 2 above.
K0_LOW = (
    1.374465435613523e-16, 4.25981614279661e-14, 1.0349695257633842e-11, 1.904516377220209e-09,
    2.5347910790261494e-07, 2.286212103119452e-05, 0.001264615411446926, 0.0359799365153615, 0.3442898999246285,
    -0.5353273932339028,
)  # fmt: skip
K0_HIGH = (
    5.300433772686263e-18, -1.6475804301524212e-17, 5.2103915050390274e-17, -1.678231096805412e-16,
    5.512055978524319e-16, -1.848593377343779e-15, 6.3400764774050706e-15, -2.2275133269916698e-14,
    8.032890775363575e-14, -2.9800969231727303e-13, 1.140340588208475e-12, -4.514597883373944e-12,
    1.8559491149547177e-11, -7.957489244477107e-11, 3.577397281400301e-10, -1.69753450938906e-09,
    8.574034017414225e-09, -4.660489897687948e-08, 2.766813639445015e-07, -1.8317555227191195e-06,
    1.39498137188765e-05, -0.00012849549581627802, 0.0015698838857300533, -0.0314481013119645, 2.4403030820659555,
)  # fmt: skip
K1_LOW = (
    -7.023863479386288e-18, -2.427449850519366e-15, -6.666901694199329e-13, -1.4114883926335278e-10,
    -2.213387630734726e-08, -2.4334061415659684e-06, -0.0001730288957513052, -0.006975723859639864,
    -0.12261118082265715, -0.3531559607765449, 1.5253002273389478,
)  # fmt: skip
K1_HIGH = (
    -5.756744483665017e-18, 1.7940508731475592e-17, -5.689462558442859e-17, 1.838093544366639e-16,
    -6.057047248373319e-16, 2.038703165624334e-15, -7.019837090418314e-15, 2.4771544244813043e-14,
    -8.976705182324994e-14, 3.3484196660784293e-13, -1.2891739609510289e-12, 5.13963967348173e-12,
    -2.1299678384275683e-11, 9.218315187605006e-11, -4.1903547593418965e-10, 2.015049755197033e-09,
    -1.0345762465678097e-08, 5.7410841254500495e-08, -3.5019606030878126e-07, 2.406484947837217e-06,
    -1.936197974166083e-05, 0.00019521551847135162, -0.002857816859622779, 0.10392373657681724, 2.7206261904844427,
)  # fmt: skip


@decomposition("aten::special_modified_bessel_k0")
@of_real_numbers
def k0(x: Any) -> Any:
    return _edges(x, where(x <= 2, _k0_low(x), _high(x, K0_HIGH, scaled=False)))


@decomposition("aten::special_scaled_modified_bessel_k0")
@of_real_numbers
def scaled_k0(x: Any) -> Any:
    """exp(x) K0(x)"""
    import torch

    return _edges(x, where(x <= 2, _k0_low(x) * torch.exp(x.clamp(max=2)), _high(x, K0_HIGH, scaled=True)))


@decomposition("aten::special_modified_bessel_k1")
@of_real_numbers
def k1(x: Any) -> Any:
    return _edges(x, where(x <= 2, _k1_low(x), _high(x, K1_HIGH, scaled=False)))


@decomposition("aten::special_scaled_modified_bessel_k1")
@of_real_numbers
def scaled_k1(x: Any) -> Any:
    """exp(x) K1(x)"""
    import torch

    return _edges(x, where(x <= 2, _k1_low(x) * torch.exp(x.clamp(max=2)), _high(x, K1_HIGH, scaled=True)))


def _k0_low(x: Any) -> Any:
    import torch

    y = _small(x)
    return chebyshev(y * y - 2, K0_LOW) - torch.log(0.5 * y) * i0(y)


def _k1_low(x: Any) -> Any:
    import torch

    y = _small(x)
    return torch.log(0.5 * y) * i1(y) + chebyshev(y * y - 2, K1_LOW) / y


def _small(x: Any) -> Any:
    return where((x > 0) & (x <= 2), x, 2.0)


def _high(x: Any, coefficients: Sequence[float], *, scaled: bool) -> Any:
    import torch

    large = x.clamp(min=2)
    found = chebyshev(8 / large - 2, coefficients) / torch.sqrt(large)
    return found if scaled else torch.exp(-large) * found


def _edges(x: Any, found: Any) -> Any:
    """Infinite at 0, and NaN below."""
    import torch

    return where(x > 0, found, where(x == 0, math.inf, torch.full_like(x, math.nan)))
