"""Operations on sizes: as StableHLO computes with them, but on JAX's expressions, so that they stay open.

Each is of the operation and objects of numpy, and gives them; ``NotImplemented`` where an expression does not say.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from converters.stablehlo.values import Sizes, array_of, is_known, sizes_or_numbers


def computed(op: Any, values: list[Any]) -> Any:
    """The operation's result where it is one on sizes; else ``NotImplemented``."""
    if op.name not in _TABLE or not all(isinstance(v, Sizes) or is_known(v) for v in values):
        return NotImplemented
    if not any(isinstance(v, Sizes) for v in values):
        return NotImplemented
    entries = [v.entries if isinstance(v, Sizes) else np.asarray(array_of(v)).astype(object) for v in values]
    found = _TABLE[op.name](op, *entries)
    return found if found is NotImplemented else sizes_or_numbers(found, op.types[0].dtype)


def _each(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of single entries, on arrays; ``NotImplemented`` where it is so for one of them."""

    def on_arrays(op: Any, *arrays: Any) -> Any:
        del op
        together = np.broadcast(*arrays)
        found = np.empty(together.shape, object)
        for place, entries in zip(np.ndindex(together.shape), together, strict=True):
            found[place] = function(*entries)
            if found[place] is NotImplemented:
                return NotImplemented
        return found

    return on_arrays


def _said(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, where expressions can be compared for every value that they may have."""

    def where_known(*entries: Any) -> Any:
        import jax

        try:
            return function(*entries)
        except jax.errors.InconclusiveDimensionOperation:
            return NotImplemented

    return where_known


def _quotient(x: Any, y: Any) -> Any:
    """Rounded towards zero; expressions are rounded down, which is the same where none is negative."""
    if y <= 0:
        return NotImplemented
    return x // y if x >= 0 else 0 if -x < y else -(-x // y)


def _remainder(x: Any, y: Any) -> Any:
    """With the sign of x; that of expressions has the sign of y."""
    if y <= 0:
        return NotImplemented
    return x % y if x >= 0 else x if -x < y else -(-x % y)


def _larger(x: Any, y: Any) -> Any:
    import jax

    return jax.core.max_dim(x, y)


def _smaller(x: Any, y: Any) -> Any:
    import jax

    return jax.core.min_dim(x, y)


def _compare(op: Any, x: Any, y: Any) -> Any:
    function = getattr(operator, op.word("comparison_direction").lower())
    return _each(_said(function))(op, x, y)


def _sign(x: Any) -> int:
    return 1 if x > 0 else 0 if x == 0 else -1


def _select(op: Any, which: Any, x: Any, y: Any) -> Any:
    return _each(lambda w, a, b: a if w else b)(op, which, x, y)


def _reshape(op: Any, x: Any) -> Any:
    return x.reshape(op.types[0].shape)


def _spread(op: Any, x: Any) -> Any:
    shape, axes = op.types[0].shape, op["broadcast_dimensions"]
    grown = x.reshape([x.shape[axes.index(i)] if i in axes else 1 for i in range(len(shape))])
    return np.broadcast_to(grown, shape)


def _slice(op: Any, x: Any) -> Any:
    return x[tuple(map(slice, op["start_indices"], op["limit_indices"], op["strides"]))]


def _concatenate(op: Any, *arrays: Any) -> Any:
    return np.concatenate(arrays, op["dimension"])


_TABLE: dict[str, Callable[..., Any]] = {
    "stablehlo.add": _each(operator.add),
    "stablehlo.subtract": _each(operator.sub),
    "stablehlo.multiply": _each(operator.mul),
    "stablehlo.negate": _each(operator.neg),
    "stablehlo.divide": _each(_said(_quotient)),
    "stablehlo.remainder": _each(_said(_remainder)),
    "stablehlo.maximum": _each(_larger),
    "stablehlo.minimum": _each(_smaller),
    "stablehlo.clamp": _each(lambda low, x, high: _smaller(_larger(x, low), high)),
    "stablehlo.sign": _each(_said(_sign)),
    "stablehlo.compare": _compare,
    "stablehlo.select": _select,
    "stablehlo.convert": lambda op, x: x if np.issubdtype(op.types[0].dtype, np.signedinteger) else NotImplemented,
    "stablehlo.reshape": _reshape,
    "stablehlo.broadcast_in_dim": _spread,
    "stablehlo.slice": _slice,
    "stablehlo.concatenate": _concatenate,
}
