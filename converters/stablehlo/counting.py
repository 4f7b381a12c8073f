"""Loops that count: read back as the scans that JAX writes them for.

A scan is written as a loop of a counter, of the arrays whose rows it takes, and of arrays whose rows it fills. As a
scan again, its rows are known to be independent of each other, and what is done with each alone is done for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from converters.jax_binding import bound, evaluated, is_literal, read, shaped
from converters.stablehlo.program import Op
from converters.stablehlo.values import Size, Sizes, is_known


@dataclass(frozen=True)
class Counter:
    """What counts 0, 1, 2 ... in a loop.

    :param place: among what the loop goes on with. :param steps: how many there are.
    """

    place: int
    steps: Size

    def among(self, places: Sequence[int]) -> Counter:
        """The same, where only these places are gone on with."""
        return replace(self, place=places.index(self.place))


def counter_of(op: Any, first: Sequence[Any]) -> Counter | None:
    """The counter of a ``while`` that begins at 0, goes up by 1, and ends it; None where there is no such.

    :param first: what it begins with.
    """
    condition, body = op.blocks
    (asked, *others), (*_, end) = ([o.operation for o in block.operations] for block in (condition, body))
    if len(others) != 1 or asked.name != "stablehlo.compare" or Op(asked).word("comparison_direction") != "LT":
        return None
    arguments = list(condition.arguments)
    if asked.operands[0] not in arguments:
        return None
    place = arguments.index(asked.operands[0])
    steps = _size(op, asked.operands[1])
    following = end.operands[place].owner
    if getattr(following, "name", "") != "stablehlo.add" or following.operands[0] != list(body.arguments)[place]:
        return None
    begins = first[place]
    if steps is None or _size(op, following.operands[1]) != 1 or not is_known(begins) or np.asarray(begins) != 0:
        return None
    return Counter(place, steps)


def _size(op: Any, value: Any) -> Size | None:
    """A single number that is known outside of the loop, or an open size."""
    found = op.values.get(value)
    if isinstance(found, Sizes) and not found.shape:
        return found.entries[()]
    return int(np.asarray(found)) if found is not None and is_known(found) and not found.shape else None


def scanned(counter: Counter, step: Callable[[Any], Any], first: Sequence[Any]) -> list[Any] | None:
    """What the loop ends with, by a scan; None where it is none.

    :param step: of what it goes on with → the same, a step later. :param first: what it begins with.
    """
    import jax
    from jax import lax
    from jax import numpy as jnp

    closed = jax.make_jaxpr(lambda *values: step(values))(*map(shaped, first))
    rows = _Rows.of(closed, counter)
    if rows is None:
        return None
    start, consts = closed.jaxpr.invars[counter.place], dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    carries = [i for i in range(len(first)) if i != counter.place and i not in rows.filled]
    wanted = [*(rows.ends[i] for i in carries), *(e.invars[1] for e in rows.filled.values())]
    equations = _needed(rows.others, wanted)
    counts = any(v is start for e in equations for v in e.invars) or any(v is start for v in wanted)

    def of_one(carry: Any, xs: Any) -> Any:
        values = dict(consts) | dict(zip((closed.jaxpr.invars[i] for i in carries), carry, strict=True))
        values.update((e.outvars[0], lax.expand_dims(x, (0,))) for e, x in zip(rows.taken, xs, strict=False))
        values.update({start: xs[-1]} if counts else {})
        found = evaluated(equations, values, wanted)
        return found[: len(carries)], [lax.squeeze(array, (0,)) for array in found[len(carries) :]]

    xs = [consts[e.invars[0]] for e in rows.taken]
    places = jnp.arange(counter.steps, dtype=start.aval.dtype)
    xs += [lax.rev(places, (0,)) if rows.backwards else places] if counts or not xs else []
    ends, filled = lax.scan(of_one, [first[i] for i in carries], xs, reverse=rows.backwards)
    results = dict(zip(carries, ends, strict=True)) | dict(zip(rows.filled, filled, strict=True))
    results[counter.place] = jnp.asarray(counter.steps).astype(start.aval.dtype)
    return [results[i] for i in range(len(first))]


def _needed(equations: Sequence[Any], wanted: Sequence[Any]) -> list[Any]:
    """Those that the wanted variables depend on."""
    needed = {v for v in wanted if not is_literal(v)}
    found = []
    for equation in reversed(equations):
        if needed & set(equation.outvars):
            needed |= {v for v in equation.invars if not is_literal(v)}
            found.append(equation)
    return found[::-1]


@dataclass(frozen=True)
class _Rows:
    """The equations of a step, sorted.

    :param taken: those that take the step's own row of an array. :param filled: those that write it, by the place of
        the array among what the loop goes on with.
    :param others: the rest. :param ends: the step's outputs. :param backwards: is the last row the first step's?
    """

    taken: list[Any]
    filled: Mapping[int, Any]
    others: list[Any]
    ends: Sequence[Any]
    backwards: bool

    @classmethod
    def of(cls, closed: Any, counter: Counter) -> _Rows | None:
        """None where a step writes rows that are not its own, or takes and writes in opposite orders."""
        jaxpr = closed.jaxpr
        order = _orders(closed, counter)
        slices = [e for e in jaxpr.eqns if e.primitive.name == "dynamic_slice" and e.invars[0] in jaxpr.constvars]
        taken = [e for e in slices if _fits(e, counter) and _is_row(e, e.invars[1:], closed, order)]
        filled = {}
        for place, (start, end) in enumerate(zip(jaxpr.invars, jaxpr.outvars, strict=True)):
            writers = [e for e in jaxpr.eqns if start in [v for v in e.invars if not is_literal(v)]]
            if start in jaxpr.outvars or [e.outvars[0] for e in writers] != [end]:
                continue
            if _writes(writers[0], start, closed, order, counter):
                filled[place] = writers[0]
        if not taken and not filled:
            return None
        ways = {order[e.invars[1]] for e in taken} | {order[e.invars[2]] for e in filled.values()}
        if len(ways) != 1:
            return None
        sorted_out = {id(e) for e in (*taken, *filled.values())}
        others = [e for e in jaxpr.eqns if id(e) not in sorted_out]
        return cls(taken, filled, others, jaxpr.outvars, ways.pop() == "backwards")


def _fits(equation: Any, counter: Counter) -> bool:
    """Has the array a row for each step?"""
    return bool(equation.invars[0].aval.shape[:1] == (counter.steps,))


def _writes(equation: Any, start: Any, closed: Any, order: Mapping[Any, str], counter: Counter) -> bool:
    """Is a row of the array overwritten, and nothing else done with it?"""
    if equation.primitive.name != "dynamic_update_slice" or equation.invars[0] is not start:
        return False
    return _fits(equation, counter) and _is_row(equation, equation.invars[2:], closed, order)


def _is_row(equation: Any, starts: Sequence[Any], closed: Any, order: Mapping[Any, str]) -> bool:
    """Is it about one row of the first axis, whole along the others, that the counter says?"""
    first, *others = starts
    if is_literal(first) or first not in order:
        return False
    consts = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    known = [v.val if is_literal(v) else consts.get(v) for v in others]
    slice_ = equation.outvars[0] if equation.primitive.name == "dynamic_slice" else equation.invars[1]
    whole = equation.invars[0].aval.shape[1:] == slice_.aval.shape[1:] and slice_.aval.shape[0] == 1
    return whole and all(v is not None and is_known(v) and not np.any(np.asarray(v)) for v in known)


def _orders(closed: Any, counter: Counter) -> dict[Any, str]:
    """What runs with the counter: "forwards" as it does, or "backwards" from the last row to the first."""
    jaxpr = closed.jaxpr
    start = jaxpr.invars[counter.place]
    if not isinstance(counter.steps, int):
        return {start: "forwards"}
    consts = {v: c for v, c in zip(jaxpr.constvars, closed.consts, strict=True) if is_known(c)}
    rows = np.arange(counter.steps, dtype=start.aval.dtype)
    found = {start: rows}
    for equation in jaxpr.eqns:
        inputs = [v for v in equation.invars if not is_literal(v)]
        plain = len(equation.outvars) == 1 and not equation.outvars[0].aval.shape and not equation.effects
        if plain and any(v in found for v in inputs) and all(v in found or v in consts for v in inputs):
            found[equation.outvars[0]] = _for_each(equation, found, consts)
    ways = {"forwards": rows, "backwards": rows[::-1]}
    return {v: way for v, each in found.items() for way, order in ways.items() if np.array_equal(each, order)}


def _for_each(equation: Any, found: Mapping[Any, Any], consts: Mapping[Any, Any]) -> Any:
    """What the equation gives in each step."""
    import jax

    values = [found[v] if not is_literal(v) and v in found else read(consts, v) for v in equation.invars]
    axes = [0 if not is_literal(v) and v in found else None for v in equation.invars]
    with jax.ensure_compile_time_eval():
        return np.asarray(jax.vmap(lambda *each: bound(equation, each)[0], in_axes=axes)(*values))
