"""scatter, scatter-add, scatter-mul, scatter-min and scatter-max, at places that are known or in batches"""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.errors import ExportFailed
from converters.jax_binding import evaluated
from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x: x.at[:, 2].set(1.0), "float32[N,4]"),
    case(lambda jax, x: x.at[:, 1:3, 0].set(x[:, :2, 1]), "float32[N,4,2]"),
    case(lambda jax, x: x.at[:, 1].add(2.0).at[:, -1].multiply(3.0), "float32[N,3]"),
    case(lambda jax, x: x.at[:, jax.numpy.array([0, 2, 9])].max(0.5), "float32[N,3]"),
    case(lambda jax, x, y: x.at[jax.numpy.array([2, 0]), 1].min(y), "float32[3,2]", "float32[2]"),
    case(lambda jax, x: x.at[:, 1].apply(jax.numpy.sin), "float32[N,3]"),
    case(lambda jax, x, i: x.at[i].apply(jax.numpy.sin), "float32[4,3]", "int32[2]", refuses="scatter_apply"),
    case(lambda jax, x, i: jax.vmap(lambda row, at: row.at[at].set(0.5))(x, i), "float32[N,3]", "int32[N,2]"),
    case(lambda jax, x, i: jax.vmap(lambda row, at: row.at[at].add(2.0))(x, i), "float32[N,3]", "int32[N,2]"),
)  # fmt: skip

#: More windows than these are no sequence of slices.
_MOST = 64
_NAMES = {"scatter": "", "scatter-add": "add", "scatter-mul": "mul", "scatter-min": "min", "scatter-max": "max"}


def _at_known_places(name: str, combine: str) -> None:
    @primitive(name)
    def scatter(operand: Any, indices: Any, updates: Any, **p: Any) -> Any:
        """One window behind the other: what is there, combined with its update"""
        import jax
        from jax import lax

        if p["dimension_numbers"].operand_batching_dims:
            return _in_one(name, operand, indices, updates, p)
        starts = None if isinstance(indices, jax.core.Tracer) else _starts(operand, np.asarray(indices), updates, p)
        if starts is None and not combine and p["update_jaxpr"] is not None:
            raise ExportFailed("scatter_apply at places that are not known cannot be exported")
        if starts is None:
            return NotImplemented
        for start, update in zip(starts, _windows(operand, updates, p["dimension_numbers"]), strict=True):
            if start is None:
                continue
            there = lax.dynamic_slice(operand, start, update.shape)
            moved = getattr(lax, combine)(there, update) if combine else _applied(there, update, p)
            operand = lax.dynamic_update_slice(operand, moved, start)
        return operand


def _in_one(name: str, operand: Any, indices: Any, updates: Any, p: dict[str, Any]) -> Any:
    """The scatter of a whole batch, each place with its number in the batch before it."""
    from jax import lax

    numbers = p["dimension_numbers"]
    batches, inserted = numbers.operand_batching_dims, numbers.inserted_window_dims
    one = (*indices.shape[:-1], 1)
    counts = [lax.broadcasted_iota(indices.dtype, one, axis) for axis in numbers.scatter_indices_batching_dims]
    plain = lax.ScatterDimensionNumbers(
        numbers.update_window_dims,
        tuple(sorted((*inserted, *batches))),
        (*batches, *numbers.scatter_dims_to_operand_dims),
    )
    places = lax.concatenate([*counts, indices], indices.ndim - 1)
    bind = getattr(lax, f"{name.replace('-', '_')}_p").bind
    return bind(operand, places, updates, **(p | {"dimension_numbers": plain}))


def _applied(there: Any, update: Any, p: dict[str, Any]) -> Any:
    """The update, or what ``jax.lax.scatter_apply`` makes of what is there."""
    jaxpr = p["update_jaxpr"]
    if jaxpr is None:
        return update
    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*p["update_consts"], there, update), strict=True))
    (found,) = evaluated(jaxpr.eqns, values, jaxpr.outvars)
    return found


def _shape(operand: Any, updates: Any, numbers: Any) -> list[Any]:
    """Of a window, with 1 on the axes that the updates do not have."""
    sizes = iter([updates.shape[axis] for axis in numbers.update_window_dims])
    return [1 if axis in numbers.inserted_window_dims else next(sizes) for axis in range(operand.ndim)]


def _starts(operand: Any, indices: Any, updates: Any, p: dict[str, Any]) -> list[Any] | None:
    """The first corner of each window, None for one that is dropped; None for all that is not understood."""
    from jax import lax

    numbers, mode = p["dimension_numbers"], p["mode"]
    rows = indices.reshape(-1, indices.shape[-1]) if indices.shape[-1] else np.zeros((1, 0), int)
    if len(rows) > _MOST:
        return None
    shape = _shape(operand, updates, numbers)
    axes = numbers.scatter_dims_to_operand_dims
    if not all(isinstance(operand.shape[a], int) and isinstance(shape[a], int) for a in axes):
        return None
    found: list[Any] = []
    for row in rows:
        start = [0] * operand.ndim
        for axis, place in zip(axes, row, strict=True):
            start[axis] = int(place)
        last = {a: operand.shape[a] - shape[a] for a in axes}
        if mode == lax.GatherScatterMode.CLIP:
            start = [min(max(s, 0), last[a]) if a in last else s for a, s in enumerate(start)]
        found.append(start if all(0 <= start[a] <= last[a] for a in axes) else None)
    return found


def _windows(operand: Any, updates: Any, numbers: Any) -> list[Any]:
    from jax import lax
    from jax import numpy as jnp

    windows = tuple(numbers.update_window_dims)
    rows = tuple(axis for axis in range(updates.ndim) if axis not in windows)
    shape = _shape(operand, updates, numbers)
    first = lax.transpose(updates, (*rows, *windows))
    count = int(np.prod([updates.shape[axis] for axis in rows], dtype=int))
    many = jnp.reshape(first, (count, *shape))
    return [lax.index_in_dim(many, i, 0, keepdims=False) for i in range(count)]


for _name, _combine in _NAMES.items():
    _at_known_places(_name, _combine)
