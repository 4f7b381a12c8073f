"""One equation of a jaxpr, done again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def bound(equation: Any, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of its primitive for these inputs."""
    primitive = equation.primitive
    parameters = primitive.get_bind_params(equation.params)
    if isinstance(parameters, tuple):  # jax before 0.10
        functions, parameters = parameters
        found = primitive.bind(*functions, *inputs, **parameters)
    else:
        found = primitive.bind(*inputs, **parameters)
    return list(found) if primitive.multiple_results else [found]


def read(values: Mapping[Any, Any], atom: Any) -> Any:
    """A variable's value, or a literal's own."""
    return atom.val if is_literal(atom) else values[atom]


def is_literal(atom: Any) -> bool:
    from jax.extend import core

    return isinstance(atom, core.Literal)


def evaluated(equations: Sequence[Any], values: dict[Any, Any], wanted: Sequence[Any]) -> list[Any]:
    """The wanted variables, from those that are known, each with the user's line."""
    from jax.extend import source_info_util

    for equation in equations:
        info = equation.source_info
        with source_info_util.user_context(info.traceback, name_stack=info.name_stack):
            outputs = bound(equation, [read(values, v) for v in equation.invars])
        values.update(zip(equation.outvars, outputs, strict=True))
    return [read(values, v) for v in wanted]


def shaped(value: Any) -> Any:
    """Shape and dtype of an array, a tracer or an abstract value."""
    import jax

    return jax.ShapeDtypeStruct(value.shape, value.dtype)
