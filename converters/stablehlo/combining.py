"""What the region of a reduction, a scatter or a sort computes: told by its one operation, or by what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

#: Numbers that tell orders apart, as far as a dtype has them.
_FLOATS = (-np.inf, -2.0, -0.0, 0.0, 1.0, np.inf, np.nan)
_WHOLES = (-2, -1, 0, 1, 2)
#: As many draws of them.
_DRAWS = 2048


def only_operation(block: Any) -> str:
    """The one operation of a block of two arguments: "add" where it gives ``add(x, y)``; "" where it is no such.

    A block that gives its second argument is "second".
    """
    operations = [o.operation for o in block.operations]
    arguments = list(block.arguments)
    returned = list(operations[-1].operands)
    if len(arguments) != 2 or len(returned) != 1:
        return ""
    if len(operations) == 1:
        return "second" if returned[0] == arguments[1] else ""
    first = operations[0]
    ordered = list(first.operands) == arguments
    if len(operations) != 2 or list(first.results) != returned or len(first.operands) != 2:
        return ""
    commutes = first.name != "stablehlo.subtract" and set(first.operands) == set(arguments)
    return str(first.name).removeprefix("stablehlo.") if ordered or commutes else ""


def answers(region: Callable[..., list[Any]], dtypes: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Drawn numbers, an array for each of the region's arguments, and what it gives for them.

    :param dtypes: of its arguments, which are scalars.
    """
    import jax
    from jax import numpy as jnp

    draw = np.random.default_rng(0)
    given = [draw.choice(np.array(_FLOATS if _is_float(d) else _WHOLES), _DRAWS).astype(d) for d in dtypes]
    with jax.ensure_compile_time_eval():
        found = jax.vmap(lambda *scalars: region(*scalars))(*map(jnp.asarray, given))
    return given, [np.asarray(array) for array in found]


def _is_float(dtype: Any) -> bool:
    from jax import dtypes

    return bool(dtypes.issubdtype(dtype, np.floating))


def keys_of_sort(region: Callable[..., list[Any]], dtypes: Sequence[Any]) -> tuple[int, bool] | None:
    """How many operands order a sort, the first ones, and whether the largest comes first; None for another order.

    :param dtypes: of the operands: the region takes two numbers of each.
    """
    given, (found,) = answers(region, [d for d in dtypes for _ in range(2)])
    for count in range(1, len(dtypes) + 1):
        pairs = [(_ranked(x), _ranked(y)) for x, y in zip(given[::2], given[1::2], strict=True)][:count]
        for falls in (False, True):
            if np.array_equal(found, _before([(y, x) if falls else (x, y) for x, y in pairs])):
                return count, falls
    return None


def _ranked(x: Any) -> Any:
    """The order that JAX sorts in: not a number comes last, and zeros are equal."""
    wide = x.astype(np.float64)
    return np.where(np.isnan(wide), 1e300, np.where(np.isposinf(wide), 1e299, wide))


def _before(pairs: Sequence[tuple[Any, Any]]) -> Any:
    """Is x before y, by the first pair in which they differ?"""
    found = np.zeros(len(pairs[0][0]), bool)
    for x, y in reversed(pairs):
        found = (x < y) | ((x == y) & found)
    return found


def adds_exponents(region: Callable[..., list[Any]], dtype: Any) -> bool:
    """Is it log(exp(x) + exp(y))?"""
    (x, y), (found,) = answers(region, [dtype, dtype])
    with np.errstate(invalid="ignore"):
        return _is_float(dtype) and np.allclose(found, np.logaddexp(x, y), rtol=1e-5, atol=1e-6, equal_nan=True)


def which_extreme(region: Callable[..., list[Any]], dtypes: Sequence[Any]) -> str:
    """ "argmax" or "argmin" for a region that keeps that number's place, the first one of equals; else "".

    :param dtypes: of the numbers and of the places: the region takes a number and a place, twice.
    """
    given, found = answers(region, [*dtypes, *dtypes])
    x, i, y, j = given
    for name, first in (("argmax", x > y), ("argmin", x < y)):
        first = first | (x != x)
        expected = np.where(first, x, y), np.where(first | ((x == y) & (i < j)), i, j)
        if all(np.array_equal(a, b, equal_nan=_is_float(b.dtype)) for a, b in zip(found, expected, strict=True)):
            return name
    return ""
