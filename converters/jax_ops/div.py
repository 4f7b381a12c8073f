"""div"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converters.jax_cases import case
from converters.jax_lowering import lowering

CASES = (
    case(lambda jax, x: jax.nn.softmax(x), "float32[N,4]", gives="Softmax"),
    case(lambda jax, x: jax.nn.softmax(x, axis=1), "float32[N,4,3]", gives="Softmax"),
    case(lambda jax, x: jax.nn.softmax(x, axis=(1, 2)), "float32[N,4,3]"),
    case(lambda jax, x: jax.numpy.exp(x) / jax.numpy.exp(x).sum(1, keepdims=True), "float32[N,4]"),
    case(lambda jax, x, y: x / y, "float32[N,4]", "float32[4]"),
    case(lambda jax, x, y: jax.lax.div(x, y), "int32[N,4]", "int32[N,4]"),
    case(lambda jax, x: x // 3, "int32[N,4]"),
)  # fmt: skip


@lowering("div")
def div(g: Any, x: Any, y: Any) -> Any:
    """Softmax(z) for exp(z - max(z)) / sum(exp(z - max(z))), all along one axis; x / y

    Of integers XLA gives -1 for y = 0, and C++ ends the program.
    """
    if g.inputs[1].dtype.kind == "i" and y.const_value is None:
        return but_for_zero(g, y, g.constant(-1, g.inputs[1].dtype), lambda kept: g.Div(x, kept))
    summed = _kept(g, y, "ReduceSum", x)
    exponent = g.source(x, "Exp")
    shifted = g.source(exponent[0], "Sub") if exponent is not None else None
    if summed is None or shifted is None or _kept(g, shifted[1], "ReduceMax", shifted[0]) != summed:
        return NotImplemented
    return g.Softmax(shifted[0], axis=summed)


def but_for_zero(g: Any, y: Any, otherwise: Any, of: Callable[[Any], Any]) -> Any:
    """``of(y)`` of integers, and something else where y is 0, which C++ cannot divide by"""
    dtype = g.inputs[1].dtype
    nothing = g.Equal(y, g.constant(0, dtype))
    return g.Where(nothing, otherwise, of(g.Where(nothing, g.constant(1, dtype), y)))


def _kept(g: Any, value: Any, operator: str, of: Any) -> int | None:
    """The axis, where the value is the reduction of another along one axis, with that axis kept."""
    widened = g.source(value, "Unsqueeze")
    if widened is None:
        return None
    inner, axes = widened
    while (same := g.source(inner, "Identity")) is not None:
        (inner,) = same
    reduced = g.source(inner, operator)
    if reduced is None or reduced[0] is not of or reduced[1].const_value is None or axes.const_value is None:
        return None
    first, second = reduced[1].const_value.numpy().tolist(), axes.const_value.numpy().tolist()
    return int(first[0]) if first == second and len(first) == 1 else None
