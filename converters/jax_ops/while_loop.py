"""while: loops whose number of steps depends on the inputs"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_bodies import Body, run
from converters.jax_cases import case
from converters.jax_lowering import Builder, lowering


def _root(jax: Any, x: Any) -> Any:
    """Newton's, until it is no more than so far away."""
    away = lambda v: jax.numpy.abs(v * v - x).max() > 1e-4 * x.max()  # noqa: E731
    return jax.lax.while_loop(away, lambda v: (v + x / v) / 2, x)


CASES = (
    case(lambda jax, x: _root(jax, 1 + jax.numpy.abs(x)), "float32[N,3]"),
    case(lambda jax, x: jax.vmap(lambda e: _root(jax, e))(1 + jax.numpy.abs(x)), "float32[N,3]"),
    case(lambda jax, x, n: jax.lax.fori_loop(0, n[0] + 2, lambda i, v: v * 0.5 + i, x), "float32[N,3]", "int32[1]"),
    case(lambda jax, x: jax.lax.while_loop(lambda v: v[0] < 500, lambda v: (v[0] + 1, v[1] * 0.5 + 1), (0, x)),
         "float32[N,3]"),
    case(lambda jax, x, y: jax.numpy.gcd(x, y), "int32[N]", "int32[N]"),
)  # fmt: skip


@lowering("while")
def while_loop(
    g: Builder, *operands: Any, cond_jaxpr: Any, body_jaxpr: Any, cond_nconsts: int, body_nconsts: int
) -> Any:
    """Loop(condition(carry), carry; body)"""
    asked, held = operands[:cond_nconsts], operands[cond_nconsts : cond_nconsts + body_nconsts]
    carry = operands[cond_nconsts + body_nconsts :]
    (goes_on,) = run(g._context, cond_jaxpr, [*asked, *carry])
    body = Body(g, "while")
    body.input((), np.int64), body.input((), np.bool_)
    made = body.run(body_jaxpr, [*held, *body.inputs(body_jaxpr.jaxpr.invars[body_nconsts:])])
    again = body.run(cond_jaxpr, [*asked, *made])
    found = g.Loop(None, goes_on, *carry, returns=len(made), body=body.graph([*again, *made]))
    return found if len(made) > 1 else [found]
