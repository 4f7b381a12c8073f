"""Hurwitz' zeta function: zeta(x, q) = sum over k >= 0 of (q + k)^-x."""

from __future__ import annotations

import math
from typing import Any

from converters.torch_ops.series import of_real_numbers, where
from converters.translations import decomposition

#: (2k)! / B_2k, as in Cephes' zeta (S. L. Moshier).
_TAIL = (12.0, -720.0, 30240.0, -1209600.0, 47900160.0, -1.8924375803183791606e9, 7.47242496e10,
         -2.950130727918164224e12, 1.1646782814350067249e14, -4.5979787224074726105e15)  # fmt: skip
#: Terms that are summed one by one.
_TERMS = 24
#: Below it there would have to be more of them.
_LOWEST = -15.0
#: Powers beyond which what follows the terms is nothing to them.
_STEEP = 40.0


@decomposition("aten::special_zeta")
def zeta(x: Any, q: Any) -> Any:
    """As torch has it: infinite at x = 1 and at poles, NaN where it has no real value.

    Of a q below -15 it gives NaN too, where torch sums as many terms as it takes.
    """
    import torch

    tensor = x if isinstance(x, torch.Tensor) else q
    x, q = (t if isinstance(t, torch.Tensor) else tensor.new_full((), t) for t in (x, q))
    return _zeta(x, q)


@of_real_numbers
def _zeta(x: Any, q: Any) -> Any:
    return hurwitz(x, q)


def hurwitz(x: Any, q: Any) -> Any:
    """The first terms, and the sum of the others by Euler and Maclaurin; of tensors of one dtype."""
    import torch

    found = torch.pow(q, -x)
    for k in range(1, _TERMS + 1):
        last = torch.pow(q + k, -x)
        found = found + last
    w = q + _TERMS
    x_less = where(x == 1, 2.0, x)
    rest = last * (w / (x_less - 1) - 0.5)
    power = x.clamp(max=_STEEP)
    factor = power / w
    for k, divisor in enumerate(_TAIL):
        rest = rest + last * (factor / divisor)
        factor = factor * ((power + (2 * k + 1)) / w) * ((power + (2 * k + 2)) / w)
    found = found + where(x > _STEEP, 0.0, rest)
    found = where((q <= _LOWEST) | ((q <= 0) & (x != x.floor())), math.nan, found)
    found = where((q <= 0) & (q == q.floor()), math.inf, found)
    return where(x == 1, math.inf, where(x < 1, math.nan, where(torch.isnan(x + q), math.nan, found)))
