"""Loops and branches, and calls to what a program does not hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from converters.stablehlo.counting import counter_of, scanned
from converters.stablehlo.program import Region
from converters.stablehlo.registry import called, operation
from converters.stablehlo.values import array_of, is_known

#: Calls that change no number: what they say is for compilers of several devices.
_IDENTITIES = ("Sharding", "SPMDFullToShardShape", "SPMDShardToFullShape", "LayoutConstraint",
               "annotate_device_placement", "xla.sdy.FuncResultSharding")  # fmt: skip


@operation("stablehlo.optimization_barrier", "sdy.sharding_constraint", takes="any")
@called(*_IDENTITIES)
def same(op: Any, *values: Any) -> Any:
    del op
    return list(values)


@operation("stablehlo.while", takes="any")
def while_(op: Any, *first: Any) -> Any:
    """A loop of what changes in it; one that counts through rows of arrays is a scan, as which JAX wrote it"""
    from jax import lax
    from jax import numpy as jnp

    returned = list(op.blocks[1].operations)[-1].operation.operands
    changes = [i for i, value in enumerate(op.blocks[1].arguments) if returned[i] != value]

    def filled(values: Sequence[Any]) -> list[Any]:
        held = list(first)
        for i, value in zip(changes, values, strict=True):
            held[i] = value
        return held

    def goes_on(values: Any) -> Any:
        return array_of(op.regions[0](*filled(values))[0])

    def step(values: Any) -> Any:
        made = op.regions[1](*filled(values))
        return tuple(jnp.asarray(array_of(made[i])) for i in changes)

    given = tuple(jnp.asarray(array_of(first[i])) for i in changes)
    counter = counter_of(op, first)
    found = None if counter is None else scanned(counter.among(changes), step, given)
    return filled(lax.while_loop(goes_on, step, given) if found is None else found)


@operation("stablehlo.if", takes="any")
def if_(op: Any, which: Any) -> Any:
    """Its first branch where it is true"""
    from jax import lax

    true, false = op.regions
    if is_known(which):
        return true() if np.asarray(array_of(which)) else false()
    return list(lax.cond(array_of(which), _arrays_of(true), _arrays_of(false)))


@operation("stablehlo.case", takes="any")
def case(op: Any, which: Any) -> Any:
    """The branch of that number, the last one for a number that none has"""
    from jax import lax

    last = len(op.regions) - 1
    index = array_of(which)
    if is_known(index):
        found = int(np.asarray(index))
        return op.regions[found if 0 <= found < last else last]()
    branches = [_arrays_of(region) for region in op.regions]
    if last == 1:
        return list(lax.cond(lax.ne(index, np.array(0, index.dtype)), branches[1], branches[0]))
    limit = np.array(last, index.dtype)
    inside = lax.select(lax.lt(index, np.array(0, index.dtype)), lax.full_like(index, last), lax.min(index, limit))
    return list(lax.switch(inside, branches))


def _arrays_of(region: Region) -> Callable[[], tuple[Any, ...]]:
    from jax import numpy as jnp

    return lambda: tuple(jnp.asarray(array_of(value)) for value in region())
