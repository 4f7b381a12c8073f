"""Operations on single numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.stablehlo.registry import operation
from converters.stablehlo.values import Spread, array_of, is_known, spread

#: Operations that are one function of ``jax.lax`` each, of as many operands.
_SAME = {
    "stablehlo.abs": "abs", "stablehlo.add": "add", "stablehlo.and": "bitwise_and", "stablehlo.atan2": "atan2",
    "stablehlo.cbrt": "cbrt", "stablehlo.ceil": "ceil", "stablehlo.cosine": "cos",
    "stablehlo.count_leading_zeros": "clz", "stablehlo.divide": "div", "stablehlo.exponential": "exp",
    "stablehlo.exponential_minus_one": "expm1", "stablehlo.floor": "floor", "stablehlo.is_finite": "is_finite",
    "stablehlo.log": "log", "stablehlo.log_plus_one": "log1p", "stablehlo.logistic": "logistic",
    "stablehlo.maximum": "max", "stablehlo.minimum": "min", "stablehlo.multiply": "mul", "stablehlo.negate": "neg",
    "stablehlo.not": "bitwise_not", "stablehlo.or": "bitwise_or", "stablehlo.popcnt": "population_count",
    "stablehlo.power": "pow", "stablehlo.remainder": "rem", "stablehlo.rsqrt": "rsqrt",
    "stablehlo.shift_left": "shift_left", "stablehlo.shift_right_arithmetic": "shift_right_arithmetic",
    "stablehlo.shift_right_logical": "shift_right_logical", "stablehlo.sign": "sign", "stablehlo.sine": "sin",
    "stablehlo.sqrt": "sqrt", "stablehlo.subtract": "sub", "stablehlo.tan": "tan", "stablehlo.tanh": "tanh",
    "stablehlo.xor": "bitwise_xor",
    "chlo.acos": "acos", "chlo.acosh": "acosh", "chlo.asin": "asin", "chlo.asinh": "asinh", "chlo.atan": "atan",
    "chlo.atanh": "atanh", "chlo.bessel_i1e": "bessel_i1e", "chlo.cosh": "cosh", "chlo.digamma": "digamma",
    "chlo.erf": "erf", "chlo.erf_inv": "erf_inv", "chlo.erfc": "erfc", "chlo.lgamma": "lgamma",
    "chlo.next_after": "nextafter", "chlo.polygamma": "polygamma", "chlo.sinh": "sinh", "chlo.square": "square",
    "chlo.tan": "tan", "chlo.zeta": "zeta",
}  # fmt: skip


def _register(name: str, function: str) -> None:
    @operation(name, takes="spread")
    def same(op: Any, *operands: Any) -> Any:
        del op
        from jax import lax

        return getattr(lax, function)(*operands)


for _name, _function in _SAME.items():
    _register(_name, _function)


@operation("stablehlo.round_nearest_even", takes="spread")
def round_nearest_even(op: Any, x: Any) -> Any:
    del op
    from jax import lax

    return lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)


@operation("stablehlo.round_nearest_afz", takes="spread")
def round_nearest_afz(op: Any, x: Any) -> Any:
    del op
    from jax import lax

    return lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO)


@operation("chlo.is_inf", takes="spread")
def is_inf(op: Any, x: Any) -> Any:
    del op
    from jax import lax

    return lax.eq(lax.abs(x), np.array(np.inf, x.dtype))


@operation("stablehlo.convert", takes="spread")
def convert(op: Any, x: Any) -> Any:
    from jax import lax

    return lax.convert_element_type(x, op.types[0].dtype)


@operation("stablehlo.bitcast_convert")
def bitcast_convert(op: Any, x: Any) -> Any:
    from jax import lax

    return lax.bitcast_convert_type(x, op.types[0].dtype)


@operation("stablehlo.reduce_precision", takes="spread")
def reduce_precision(op: Any, x: Any) -> Any:
    from jax import lax

    return lax.reduce_precision(x, op["exponent_bits"], op["mantissa_bits"])


@operation("stablehlo.compare", takes="spread")
def compare(op: Any, x: Any, y: Any) -> Any:
    """In the total order, where it asks for that: -NaN < -inf < ... < -0 < 0 < ... < inf < NaN."""
    from jax import lax

    if "compare_type" in op and op.word("compare_type") == "TOTALORDER":
        x, y = _ordered(x), _ordered(y)
    return getattr(lax, op.word("comparison_direction").lower())(x, y)


def _ordered(x: Any) -> Any:
    """Signed integers in the order of the floats' bits."""
    from jax import lax

    bits = 8 * x.dtype.itemsize
    found = lax.bitcast_convert_type(x, f"int{bits}")
    return lax.select(found < 0, found ^ np.array(2 ** (bits - 1) - 1, found.dtype), found)


@operation("stablehlo.select", takes="any")
def select(op: Any, which: Any, x: Any, y: Any) -> Any:
    """One value, where it is known which; else the numbers of both, spread no more than they have to be."""
    del op
    from jax import lax

    if is_known(which):
        flat = np.asarray(which.array if isinstance(which, Spread) else which)
        if flat.size and (flat.all() or not flat.any()):
            return x if flat.all() else y
    values = (which, x, y)
    if all(isinstance(v, Spread) and not v.array.ndim for v in values):
        return spread(lax.select_n(which.array, y.array, x.array), which.shape)
    scalar = isinstance(which, Spread) and not which.array.ndim
    chosen, x, y = which.array if scalar else array_of(which), array_of(x), array_of(y)
    if all(map(is_known, (chosen, x, y))):
        return np.where(chosen, x, y)
    return lax.select_n(chosen, y, x)


@operation("stablehlo.clamp", takes="any")
def clamp(op: Any, low: Any, x: Any, high: Any) -> Any:
    """min(max(x, low), high), the limits single numbers where they are"""
    del op
    from jax import lax

    low, high = (v.array if isinstance(v, Spread) and not v.array.ndim else array_of(v) for v in (low, high))
    x = array_of(x)
    if low.ndim == high.ndim:
        return lax.clamp(low, x, high)
    return lax.min(lax.max(x, low), high)
