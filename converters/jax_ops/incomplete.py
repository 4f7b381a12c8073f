"""igamma, igammac and regularized_incomplete_beta: P(a, x), Q(a, x) = 1 - P(a, x) and I_x(a, b).

By series and continued fractions that go on until they stand, as XLA has them. Sources: the Digital Library of
Mathematical Functions, 8.11.4, 8.9.2, 8.17.22 and 8.17.4; fractions by Lentz's algorithm (Numerical Recipes, 5.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x, y: jax.lax.igamma(abs(x), abs(y)), "float32[N,3]", "float32[N,3]"),
    case(lambda jax, x, y: jax.lax.igammac(9 * abs(x), 9 * abs(y)), "float32[N,3]", "float32[N,3]"),
    case(lambda jax, x: jax.scipy.special.gammainc(x, jax.numpy.array([0.0, 1.0, jax.numpy.inf])), "float32[N,3]"),
    case(lambda jax, x, y: jax.lax.betainc(9 * abs(x), 9 * abs(y), abs(jax.numpy.tanh(x))), "float32[N,3]",
         "float32[N,3]"),
    case(lambda jax, x: jax.scipy.special.betainc(x, abs(x), jax.numpy.array([0.0, 1.0, 1.5])), "float32[N,3]"),
)  # fmt: skip

#: Terms and steps after which it is as good as it gets.
_TERMS, _STEPS = 2000, 200
_EPS = 2.0**-24


@primitive("igamma")
def igamma(a: Any, x: Any) -> Any:
    """P(a, x)"""
    from jax import numpy as jnp

    return _edges(a, x, jnp.where((x > 1) & (x > a), 1 - _upper(a, x), _lower(a, x)), none=0.0, all_=1.0)


@primitive("igammac")
def igammac(a: Any, x: Any) -> Any:
    """Q(a, x)"""
    from jax import numpy as jnp

    return _edges(a, x, jnp.where((x > 1) & (x > a), _upper(a, x), 1 - _lower(a, x)), none=1.0, all_=0.0)


def _edges(a: Any, x: Any, found: Any, *, none: float, all_: float) -> Any:
    """At x = 0, x = inf and outside of what they are for."""
    from jax import numpy as jnp

    found = jnp.where(x == 0, none, jnp.where(x == jnp.inf, all_, found))
    return jnp.where((x < 0) | (a < 0) | ((a == 0) & (x == 0)) | (x != x) | (a != a), jnp.nan, found)


def _factor(a: Any, x: Any) -> Any:
    """x^a e^-x / Gamma(a)"""
    from jax import lax
    from jax import numpy as jnp

    return jnp.exp(a * jnp.log(x) - x - lax.lgamma(a))


def _lower(a: Any, x: Any) -> Any:
    """x^a e^-x / Gamma(a + 1) (1 + x / (a + 1) + x^2 / ((a + 1) (a + 2)) + ...)"""
    from jax import lax
    from jax import numpy as jnp

    used = (x > 0) & (a > 0) & ~((x > 1) & (x > a))
    start, step = jnp.where(used, a, 1), jnp.where(used, x, 0)

    def goes_on(state: Any) -> Any:
        k, term, total = state
        return (k < _TERMS) & jnp.any(term > total * _EPS)

    def next_term(state: Any) -> Any:
        k, term, total = state
        term = term * (step / (start + (k + 1)))
        return k + 1, term, total + term

    one = jnp.ones_like(start)
    _, _, total = lax.while_loop(goes_on, next_term, (jnp.float32(0), one, one))
    return total * _factor(start, jnp.where(used, x, 1)) / start


def _upper(a: Any, x: Any) -> Any:
    """x^a e^-x / Gamma(a) / (x + 1 - a - 1 (1 - a) / (x + 3 - a - 2 (2 - a) / ...))"""
    from jax import numpy as jnp

    used = (x > 1) & (x > a) & (x < jnp.inf)
    b, y = jnp.where(used, a, 1), jnp.where(used, x, 2)
    fraction = _fraction(y + 1 - b, lambda k: k * (b - k), lambda k: y + (2 * k + 1) - b, _TERMS)
    return _factor(b, y) / fraction


@primitive("regularized_incomplete_beta")
def regularized_incomplete_beta(a: Any, b: Any, x: Any) -> Any:
    """x^a (1 - x)^b / (a B(a, b)) / (1 + d_1 / (1 + d_2 / ...)), or 1 less that with a and b, x and 1 - x exchanged"""
    from jax import lax
    from jax import numpy as jnp

    least, most = (a == 0) | (b == jnp.inf), (b == 0) | (a == jnp.inf)
    inside = (a > 0) & (b > 0) & (x > 0) & (x < 1) & (a < jnp.inf) & (b < jnp.inf)
    p, q, y = (jnp.where(inside, v, 0.5) for v in (a, b, x))
    direct = y < (p + 1) / (p + q + 2)
    p, q, y = jnp.where(direct, p, q), jnp.where(direct, q, p), jnp.where(direct, y, 1 - y)

    def numerator(k: Any) -> Any:
        m = jnp.floor(k / 2)
        even = m * (q - m) * y / ((p + 2 * m - 1) * (p + 2 * m))
        odd = -(p + m) * (p + q + m) * y / ((p + 2 * m) * (p + 2 * m + 1))
        return jnp.where(k == 2 * m, even, odd)

    fraction = _fraction(jnp.ones_like(y), numerator, lambda _: 1.0, _STEPS)
    beta = lax.lgamma(p) + lax.lgamma(q) - lax.lgamma(p + q)
    found = jnp.exp(p * jnp.log(y) + q * jnp.log1p(-y) - beta) / p / fraction
    found = jnp.where(direct, found, 1 - found)
    found = jnp.where((most & (x != 1)) | (least & (x == 0)), 0, found)
    found = jnp.where((least & (x != 0)) | (most & (x == 1)), 1, found)
    found = jnp.where(~least & ~most & (x == 0), 0, jnp.where(~least & ~most & (x == 1), 1, found))
    outside = (a < 0) | (b < 0) | (x < 0) | (x > 1) | (least & most) | (a != a) | (b != b) | (x != x)
    return jnp.where(outside, jnp.nan, found)


def _fraction(first: Any, numerator: Callable[[Any], Any], denominator: Callable[[Any], Any], most: int) -> Any:
    """first + n(1) / (d(1) + n(2) / (d(2) + ...)), each element until it stands"""
    from jax import lax
    from jax import numpy as jnp

    def kept(value: Any) -> Any:
        """Not zero, as it is divided by."""
        return jnp.where(jnp.abs(value) < 1e-30, 1e-30, value)

    def goes_on(state: Any) -> Any:
        k, going, *_ = state
        return (k < most) & jnp.any(going)

    def next_step(state: Any) -> Any:
        k, going, c, d, found = state
        k = k + 1
        d = 1 / kept(denominator(k) + numerator(k) * d)
        c = kept(denominator(k) + numerator(k) / c)
        found = jnp.where(going, found * (c * d), found)
        return k, going & (jnp.abs(c * d - 1) > 2 * _EPS), c, d, found

    start = kept(first)
    state = (jnp.float32(0), jnp.ones_like(start, bool), start, jnp.zeros_like(start), start)
    return lax.while_loop(goes_on, next_step, state)[-1]
