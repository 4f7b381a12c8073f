"""Functions that ``jax.export`` writes out as arithmetic, read back: a sigmoid is four operations there, erfc ninety.

A run of operations says, by its place, which of JAX's primitives it was written for; a sigmoid is told by its form.
Each is believed where the numbers are the primitive's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from converters.jax_binding import bound, read
from converters.quiet import Attempt

#: Primitives of one operand that ONNX has an operator for, or a few.
_PRIMITIVES = ("acos", "acosh", "asin", "asinh", "atan", "atanh", "cosh", "erf", "erfc", "sinh")
#: 1 / (1 + exp(-x)), from its end.
_SIGMOID = ("stablehlo.divide", "stablehlo.add", "stablehlo.exponential", "stablehlo.negate")
#: How near the numbers are: those of the expansions are of float32.
_RTOL, _ATOL = 1e-5, 1e-6


@dataclass(frozen=True)
class Expansion:
    """Operations in a row that stand for one.

    :param primitive: its name in ``jax.lax``. :param operations: MLIR's.
    :param operands: values that come from before. :param result: the one that is used behind them.
    """

    primitive: str
    operations: Sequence[Any]
    operands: Sequence[Any]
    result: Any


def expansions_in(block: Any) -> Iterator[Expansion]:
    """What could be one in a block."""
    operations = [o.operation for o in block.operations][:-1]
    for (word, _), group in groupby(operations, key=_written_for):
        run = list(group)
        inside, owners = [result for o in run for result in o.results], set(run)
        used = [r for r in inside if any(use.owner.operation not in owners for use in r.uses)]
        if word in _PRIMITIVES and len(run) > 1 and len(used) == 1:
            yield _expansion(word, run, used[0])
    for operation in operations:
        chain = _chain(operation, *_SIGMOID)
        if chain:
            yield _expansion("logistic", chain, operation.results[0])


def _expansion(word: str, operations: Sequence[Any], result: Any) -> Expansion:
    inside = [value for operation in operations for value in operation.results]
    operands = dict.fromkeys(v for o in operations for v in o.operands if v not in inside)
    return Expansion(word, operations, list(operands), result)


def _chain(operation: Any, name: str, *others: str) -> list[Any]:
    """The operation, and in front of it those that lead to it, by these names; [] where others do."""
    if getattr(operation, "name", "") != name:
        return []
    if not others:
        return [operation]
    chains = (_chain(operand.owner, *others) for operand in operation.operands)
    return next(([*chain, operation] for chain in chains if chain), [])


def _written_for(operation: Any) -> tuple[str, str]:
    """The primitive, and the whole of the place."""
    name = str(getattr(operation.location, "name_str", ""))
    return name.rpartition("/")[2].rstrip(":"), str(operation.location)


def is_believed(expansion: Expansion, function: Callable[[Any], Any], x: Any) -> bool:
    """Does the function of x, which is the expansion done, give the primitive's numbers?"""
    import jax
    from jax import lax

    if not np.issubdtype(x.dtype, np.float32):
        return False
    numbers = _numbers()
    with Attempt():
        closed = jax.make_jaxpr(function)(jax.ShapeDtypeStruct(x.shape, x.dtype))
        with jax.ensure_compile_time_eval():
            found = _on(closed, numbers)
            expected = getattr(lax, expansion.primitive)(numbers)
            return bool(np.allclose(found, expected, rtol=_RTOL, atol=_ATOL, equal_nan=True))
    return False


def _numbers() -> Any:
    """Small, ordinary and large ones."""
    draw = np.random.default_rng(0)
    edges = [0.0, 1.0, 1e-30, 1e-4, 0.5, 2.0, 88.0, 1e4, np.inf]
    drawn = draw.normal(size=500) * draw.choice([0.1, 1.0, 10.0], 500)
    return np.array([*edges, *np.negative(edges), np.nan, *drawn], np.float32)


def _on(closed: Any, numbers: Any) -> Any:
    """What a jaxpr of arithmetic gives for numbers in a row, whatever the shape that it was traced for."""
    jaxpr = closed.jaxpr
    consts = [_uniform(const, numbers.shape) for const in closed.consts]
    values: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True)) | {jaxpr.invars[0]: numbers}
    for equation in jaxpr.eqns:
        inputs = [read(values, v) for v in equation.invars]
        values.update(zip(equation.outvars, _done(equation, inputs, numbers.shape), strict=True))
    return values[jaxpr.outvars[0]]


def _uniform(const: Any, shape: tuple[int, ...]) -> Any:
    """
    :raises ValueError: it has different numbers.
    """
    numbers = np.unique(np.asarray(const), equal_nan=False)
    if numbers.size != 1:
        raise ValueError("not one number for all")
    return np.broadcast_to(numbers, shape) if np.ndim(const) else numbers[0]


def _done(equation: Any, inputs: Sequence[Any], shape: tuple[int, ...]) -> Sequence[Any]:
    """
    :raises ValueError: the equation is about shapes.
    """
    if equation.primitive.name == "broadcast_in_dim" and not np.ndim(inputs[0]):
        return [np.broadcast_to(np.asarray(inputs[0]), shape)]
    if any(key in equation.params for key in ("shape", "dimensions", "new_sizes", "axes", "jaxpr")):
        raise ValueError(f"{equation.primitive} is about shapes")
    return bound(equation, inputs)
