"""Loops and branches of a jaxpr that stay what they are, of bodies that are plain: ONNX's Scan, Loop and If."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from converters.jax_binding import shaped

#: A jaxpr and its inputs → its outputs.
Run = Callable[[Any, Sequence[Any]], list[Any]]


def scan(equation: Any, body: Any, carry: Sequence[Any], stacked: Sequence[Any], run: Run) -> list[Any]:
    """The scan, once more, of the body that is given.

    :param body: of carry and slices; among its constants are values that are not known.
    """
    from jax.extend.core import ClosedJaxpr

    unknown, places = _unknown(body.consts)

    def step(*given: Any) -> list[Any]:
        consts = _merged(body.consts, places, given[: len(unknown)])
        return run(ClosedJaxpr(body.jaxpr, consts), given[len(unknown) :])

    plain = _plain(step, [*unknown, *(v.aval for v in body.jaxpr.invars)])
    inputs = [*unknown, *carry, *stacked]
    changed: dict[str, Any] = {"jaxpr": plain, "num_consts": len(unknown)}
    if "linear" in equation.params:  # jax before 0.10
        changed["linear"] = (False,) * len(inputs)
    found: list[Any] = equation.primitive.bind(*inputs, **(equation.params | changed))
    return found


def repeat(equation: Any, inputs: Sequence[Any], run: Run) -> list[Any]:
    """The loop, once more, with one number for its condition.

    Of a batch each goes on by itself; those whose condition is false keep what they have.
    """
    from jax import lax

    p = equation.params
    first, second = p["cond_nconsts"], p["cond_nconsts"] + p["body_nconsts"]
    carry = inputs[second:]
    batched = bool(p["cond_jaxpr"].out_avals[0].shape)
    both = inputs[:second]
    unknown, places = _unknown(both)

    def split(given: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        held = _merged(both, places, given[: len(unknown)])
        return held[:first], held[first:], list(given[len(unknown) :])

    def condition(*given: Any) -> list[Any]:
        asked, _, now = split(given)
        (goes_on,) = run(p["cond_jaxpr"], [*asked, *now])
        return [lax.reduce_or(goes_on, tuple(range(goes_on.ndim)))] if batched else [goes_on]

    def body(*given: Any) -> list[Any]:
        asked, held, now = split(given)
        after = run(p["body_jaxpr"], [*held, *now])
        if not batched:
            return after
        (goes_on,) = run(p["cond_jaxpr"], [*asked, *now])
        axes = tuple(range(goes_on.ndim))
        return [lax.select(lax.broadcast_in_dim(goes_on, a.shape, axes), a, b) for a, b in zip(after, now, strict=True)]

    avals = [*unknown, *(v.aval for v in p["body_jaxpr"].jaxpr.invars[p["body_nconsts"] :])]
    changed = {"cond_jaxpr": _plain(condition, avals), "body_jaxpr": _plain(body, avals),
               "cond_nconsts": len(unknown), "body_nconsts": len(unknown)}  # fmt: skip
    found: list[Any] = equation.primitive.bind(*unknown, *unknown, *carry, **(p | changed))
    return found


def choose(equation: Any, inputs: Sequence[Any], run: Run) -> list[Any]:
    """One branch or another, of more than two one behind the other; which are numbered from 0, with the ends beyond."""
    index, *operands = inputs
    unknown, places = _unknown(operands)

    def chosen(branches: Sequence[Any], which: Any, *given: Any) -> list[Any]:
        *others, last = branches
        if not others:
            return run(last, _merged(operands, places, given))
        first = _plain(partial(chosen, others), [which, *given])
        second = _plain(lambda _, *held: chosen([last], None, *held), [which, *given])
        number = (which >= len(others)).astype("int32")
        found: list[Any] = equation.primitive.bind(
            number, which, *given, **(equation.params | {"branches": (first, second)})
        )
        return found

    return chosen(equation.params["branches"], index, *unknown)


def _plain(function: Callable[..., list[Any]], values: Sequence[Any]) -> Any:
    import jax

    return jax.make_jaxpr(function)(*map(shaped, values))


def _unknown(values: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """Those that are not known, and where they stand."""
    import jax

    places = [k for k, v in enumerate(values) if isinstance(v, jax.core.Tracer)]
    return [values[k] for k in places], places


def _merged(values: Sequence[Any], places: Sequence[int], others: Sequence[Any]) -> list[Any]:
    """The values with others at some places."""
    found = dict(enumerate(values)) | dict(zip(places, others, strict=True))
    return list(found.values())
