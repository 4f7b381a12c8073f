"""bitcast_convert_type"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x: jax.lax.bitcast_convert_type(x, jax.numpy.int32), "float32[N,4]"),
    case(lambda jax, x: jax.lax.bitcast_convert_type(x * 1e20, jax.numpy.int32), "float32[N,4]"),
    case(lambda jax, x: jax.lax.bitcast_convert_type(x * 123456789, jax.numpy.float32), "int32[N,4]"),
    case(lambda jax, x: jax.numpy.frexp(x), "float32[N,4]"),
    case(lambda jax, x, y: jax.numpy.copysign(x, y), "float32[N,4]", "float32[N,4]"),
    case(lambda jax, x: jax.numpy.signbit(0 * x), "float32[N,4]"),
    case(lambda jax, x: jax.lax.bitcast_convert_type(x, jax.numpy.uint32), "float32[N,4]", refuses="BitCast"),
)  # fmt: skip

#: Powers of two that bring any exponent of float32 to 0.
_STEPS = (64, 32, 16, 8, 4, 2, 1)
#: Places of the mantissa, and what is added to the exponent.
_PLACES, _BIAS = 23, 127
_LEAST = np.float32(2.0**-126)
_NAN = 0x7FC00000


@primitive("bitcast_convert_type")
def bitcast_convert_type(x: Any, *, new_dtype: Any) -> Any:
    """Sign, exponent and mantissa of float32 by arithmetic, or put together by it; every NaN is the same"""
    kinds = (str(x.dtype), str(np.dtype(new_dtype)))
    if kinds == ("float32", "int32"):
        return _bits(x)
    return _float(x) if kinds == ("int32", "float32") else NotImplemented


def _bits(x: Any) -> Any:
    from jax import numpy as jnp

    size = jnp.abs(x)
    usual = (size >= _LEAST) & (size < np.inf)
    mantissa, exponent = _parts(jnp.where(usual, size, 1.0))
    whole = (exponent + _BIAS) * 2**_PLACES + ((mantissa - 1) * 2.0**_PLACES).astype(np.int32)
    small = (jnp.where(size < _LEAST, size, 0.0) * 2.0**100 * 2.0**49).astype(np.int32)
    whole = jnp.where(usual, whole, jnp.where(size == np.inf, (_BIAS * 2 + 1) << _PLACES, small))
    whole = jnp.where(x != x, _NAN, whole)
    negative = (x < 0) | ((x == 0) & (1 / x < 0))
    return jnp.where(negative, whole + np.int32(-(2**31)), whole)


def _parts(x: Any) -> tuple[Any, Any]:
    """x = m 2^e with 1 <= m < 2; every product is exact."""
    from jax import numpy as jnp

    exponent = jnp.zeros_like(x, np.int32)
    for step in _STEPS:
        large, small = x >= 2.0**step, x < 2.0 ** (1 - step)
        x = jnp.where(large, x * 2.0**-step, jnp.where(small, x * 2.0**step, x))
        exponent = exponent + jnp.where(large, step, 0) - jnp.where(small, step, 0)
    return x, exponent


def _float(bits: Any) -> Any:
    from jax import lax
    from jax import numpy as jnp

    half = jnp.where(bits < 0, 1 << 30, 0)
    whole = bits + half + half
    biased = lax.shift_right_arithmetic(whole, lax.full_like(whole, _PLACES))
    rest = (whole - biased * 2**_PLACES).astype(np.float32)
    x, exponent = 1 + rest * 2.0**-_PLACES, biased - _BIAS
    for step in _STEPS:
        large, small = exponent >= step, exponent <= -step
        x = jnp.where(large, x * 2.0**step, jnp.where(small, x * 2.0**-step, x))
        exponent = exponent - jnp.where(large, step, 0) + jnp.where(small, step, 0)
    x = jnp.where(biased == 0, rest * 2.0**-100 * 2.0**-49, x)
    x = jnp.where(biased == 2 * _BIAS + 1, jnp.where(rest == 0, np.inf, np.nan), x)
    return jnp.where(bits < 0, -x, x)
