"""What the values of a program are while it is traced: arrays, arrays that are yet to be spread, and sizes.

A StableHLO program writes every broadcast out, and computes open sizes with tensors. ``jax.lax`` broadcasts by itself
and knows open sizes as expressions, which is what the rest of the way is made for: so both are kept apart here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.errors import ExportFailed

#: A size: an int, or an expression of JAX's in open sizes.
Size = Any


@dataclass(frozen=True)
class Spread:
    """An array that stands for a larger one.

    :param array: a scalar, or an array of as many axes as ``shape`` has, those of size 1 standing for any size.
    """

    array: Any
    shape: tuple[Size, ...]


@dataclass(frozen=True)
class Sizes:
    """Integers of which some are not known before the program runs.

    :param entries: an array of objects: ints, and expressions in open sizes. :param dtype: the tensor's.
    """

    entries: np.ndarray[Any, Any]
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.entries.shape)


def spread(array: Any, shape: Sequence[Size]) -> Any:
    """The array, spread to the shape where it is narrower."""
    return array if tuple(array.shape) == tuple(shape) else Spread(array, tuple(shape))


def sizes_or_numbers(entries: Any, dtype: Any) -> Any:
    """:class:`Sizes`, or plain numbers where none is open."""
    found = np.asarray(entries, object)
    if all(isinstance(entry, int | np.integer | np.bool_) for entry in found.flat):
        return found.astype(dtype)
    return Sizes(found, np.dtype(dtype))


def array_of(value: Any) -> Any:
    """The value as JAX has arrays: of its whole shape, an open size as a tensor."""
    from jax import lax
    from jax import numpy as jnp

    if isinstance(value, Spread):
        if is_known(value):
            return np.broadcast_to(np.asarray(value.array), value.shape)
        axes = tuple(range(len(value.shape))) if value.array.ndim else ()
        return lax.broadcast_in_dim(value.array, value.shape, axes)
    if isinstance(value, Sizes):
        entries = [jnp.asarray(entry).astype(value.dtype) for entry in value.entries.flat]
        return jnp.stack(entries).reshape(value.shape) if value.shape else entries[0]
    return value


def is_known(value: Any) -> bool:
    """Is it numbers of numpy's: no tensor that is traced, and no size that is open?"""
    import jax

    if isinstance(value, Spread):
        return is_known(value.array) and all(isinstance(size, int) for size in value.shape)
    return not isinstance(value, jax.core.Tracer | Sizes)


def is_traced(value: Any) -> bool:
    """Does it depend on numbers of inputs?"""
    import jax

    return isinstance(value.array if isinstance(value, Spread) else value, jax.core.Tracer)


def sizes_of(value: Any, what: str) -> list[Size]:
    """The entries of a vector of sizes.

    :param what: they are, for the error.
    :raises ExportFailed: they depend on an input's numbers.
    """
    if isinstance(value, Sizes):
        return list(value.entries.flat)
    if not is_known(value):
        why = "they depend on an input's numbers, or on which of two sizes is larger"
        raise ExportFailed(f"{what} are not known", why=why, advice="give sizes in --input, or --batch 1")
    return [int(entry) for entry in np.asarray(array_of(value)).flat]
