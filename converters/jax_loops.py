"""Loops of a jaxpr: short ones as copies of their body, the others kept; branches as selections, or kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from converters import jax_kept
from converters.jax_binding import evaluated, is_literal, shaped

#: Operations that a loop may become as copies of its body. Of more, an LSTM's steps written out run up to 1.7 times as
#: fast as the loop, but each is 17 kB of header and a third of a second of compiler (``bench/recurrent.py``).
COPIES = 128
#: The same where all that the steps go through is known, as the parameters of layers that are stacked: inside of a copy
#: they are constants.
LAYERS = 4096
#: What is worth doing for all steps at once.
_HEAVY = ("dot_general", "conv_general_dilated")

#: A jaxpr and its inputs → its outputs.
Run = Callable[[Any, Sequence[Any]], list[Any]]
#: A jaxpr and its first inputs → the jaxpr of the others, without calls.
Inline = Callable[[Any, Sequence[Any]], Any]


def scan(equation: Any, inputs: Sequence[Any], run: Run, inline: Inline) -> list[Any]:
    """Every step of a scan, one behind the other, or a scan of a plain body.

    What a step does with its own slice alone, as the first layer of a recurrent cell, is done for all steps at once.
    """
    import jax
    from jax import lax

    p = equation.params
    length, consts, carries = p["length"], p["num_consts"], p["num_carry"]
    held, carry, stacked = inputs[:consts], list(inputs[consts : consts + carries]), list(inputs[consts + carries :])
    if isinstance(length, int) and not length:  # nothing to stack: the shapes are those of the outputs
        return [*carry, *(lax.full(v.aval.shape, 0, v.aval.dtype) for v in equation.outvars[carries:])]
    body = inline(p["jaxpr"], held)
    most = COPIES if any(isinstance(x, jax.core.Tracer) for x in stacked) or not stacked else LAYERS
    copied = isinstance(length, int) and length * _operations(body.jaxpr) <= most
    ahead = _ahead(body, length, carries)
    if ahead is not None:
        stacked += run(ahead.of_all, stacked)
        body = ahead.rest
    if not copied:
        return jax_kept.scan(equation, body, carry, stacked, run)
    found: list[list[Any]] = [[] for _ in range(length)]
    for i in reversed(range(length)) if p["reverse"] else range(length):
        slices = [lax.index_in_dim(x, i, 0, keepdims=False) for x in stacked]
        outputs = run(body, [*carry, *slices])
        carry, found[i] = outputs[:carries], outputs[carries:]
    return [*carry, *map(_stacked, zip(*found, strict=True))]


def _operations(jaxpr: Any) -> int:
    """Equations, those inside of others once for each of their steps."""
    from jax.extend.core import jaxprs_in_params

    found = 0
    for equation in jaxpr.eqns:
        length = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
        inner = sum(_operations(getattr(j, "jaxpr", j)) for j in jaxprs_in_params(equation.params))
        found += max(inner, 1) * (length if isinstance(length, int) else 1)
    return found


class _Ahead(NamedTuple):
    """A body in two parts: ``of_all`` steps' slices → what ``rest`` takes behind the slices."""

    of_all: Any
    rest: Any


def _ahead(body: Any, length: int, carries: int) -> _Ahead | None:
    """None where nothing heavy is independent of the step before."""
    import jax

    jaxpr = body.jaxpr
    early, rest = _parted(jaxpr, carries)
    if not any(e.primitive.name in _HEAVY for e in early):
        return None
    made = {v for e in early for v in e.outvars}
    read = [v for e in rest for v in e.invars] + list(jaxpr.outvars)
    needed = list(dict.fromkeys(v for v in read if not is_literal(v) and v in made))
    consts = dict(zip(jaxpr.constvars, body.consts, strict=True))
    slices = jaxpr.invars[carries:]

    def of_one(*given: Any) -> list[Any]:
        return evaluated(early, consts | dict(zip(slices, given, strict=True)), needed)

    def of_rest(*given: Any) -> list[Any]:
        return evaluated(rest, consts | dict(zip((*jaxpr.invars, *needed), given, strict=True)), jaxpr.outvars)

    many = [jax.ShapeDtypeStruct((length, *v.aval.shape), v.aval.dtype) for v in slices]
    each = [shaped(v.aval) for v in (*jaxpr.invars, *needed)]
    return _Ahead(jax.make_jaxpr(jax.vmap(of_one))(*many), jax.make_jaxpr(of_rest)(*each))


def _parted(jaxpr: Any, carries: int) -> tuple[list[Any], list[Any]]:
    """Equations that depend on no carry, and the others."""
    late = set(jaxpr.invars[:carries])
    early, rest = [], []
    for equation in jaxpr.eqns:
        if equation.effects or any(not is_literal(v) and v in late for v in equation.invars):
            late |= set(equation.outvars)
            rest.append(equation)
        else:
            early.append(equation)
    return early, rest


def repeat(equation: Any, inputs: Sequence[Any], run: Run) -> list[Any]:
    """As many steps as the condition asks for, or a loop of a plain body, where that depends on inputs."""
    import jax

    p = equation.params
    first, second = p["cond_nconsts"], p["cond_nconsts"] + p["body_nconsts"]
    asked, held, carry = inputs[:first], inputs[first:second], list(inputs[second:])
    for _ in range(max(COPIES // max(_operations(p["body_jaxpr"].jaxpr), 1), 1)):
        (goes_on,) = run(p["cond_jaxpr"], [*asked, *carry])
        if isinstance(goes_on, jax.core.Tracer) or np.shape(goes_on):
            break
        if not goes_on:
            return carry
        carry = run(p["body_jaxpr"], [*held, *carry])
    return jax_kept.repeat(equation, inputs, run)


def choose(equation: Any, inputs: Sequence[Any], run: Run) -> list[Any]:
    """The one branch where it is known; else all are computed, and the right one's numbers selected.

    One that might never end where it is not chosen is kept apart.
    """
    import jax
    from jax import lax

    index, *operands = inputs
    branches = equation.params["branches"]
    if not isinstance(index, jax.core.Tracer):
        return run(branches[min(max(int(index), 0), len(branches) - 1)], operands)
    if any(_repeats(branch.jaxpr) for branch in branches):
        return jax_kept.choose(equation, inputs, run)
    found = [run(branch, operands) for branch in branches]
    if len(branches) == 1:
        return found[0]
    which = index != 0 if len(branches) == 2 else lax.clamp(0, index, len(branches) - 1)
    return [lax.select_n(which, *cases) for cases in zip(*found, strict=True)]


def _repeats(jaxpr: Any) -> bool:
    """Is there a loop in it that a condition ends?"""
    from jax.extend.core import jaxprs_in_params

    inner = (getattr(j, "jaxpr", j) for e in jaxpr.eqns for j in jaxprs_in_params(e.params))
    return any(e.primitive.name == "while" for e in jaxpr.eqns) or any(map(_repeats, inner))


def _stacked(arrays: Sequence[Any]) -> Any:
    from jax import lax

    return lax.concatenate([lax.expand_dims(array, (0,)) for array in arrays], 0)
