"""cond and switch, where a branch must not be run that is not chosen"""

from __future__ import annotations

from typing import Any

from converters.jax_bodies import Body
from converters.jax_cases import case
from converters.jax_lowering import Builder, lowering


def _doubled(jax: Any, x: Any) -> Any:
    """Until the sum is large, which that of zeros never is."""
    return jax.lax.while_loop(lambda v: v.sum() < 10, lambda v: 2 * v, x)


CASES = (
    case(lambda jax, x: jax.lax.cond(x[0] > 0, lambda v: _doubled(jax, v * v + 1), lambda v: v * 0, x), "float32[N]"),
    case(lambda jax, x: jax.lax.cond(x.sum() > 99, lambda v: _doubled(jax, v * 0), lambda v: v, x), "float32[N]"),
    case(lambda jax, x, k: jax.lax.switch(k[0], [lambda v: _doubled(jax, v * v + 1), lambda v: v, jax.numpy.sin], x),
         "float32[4]", "int32[1]"),
    case(lambda jax, x: jax.lax.cond(x[0] > 0, lambda v: v + 1, lambda v: v * 0, x), "float32[4]"),
)  # fmt: skip


@lowering("cond")
def cond(g: Builder, index: Any, *operands: Any, branches: Any, **_: Any) -> Any:
    """If(index; branches[1], branches[0])"""
    if len(branches) != 2:
        return NotImplemented
    graphs = []
    for closed in branches:
        body = Body(g, "branch")
        graphs.append(body.graph(body.run(closed, operands)))
    other, taken = graphs
    count = len(g.outputs)
    found = g.If(g.Cast(index, to=9), returns=count, then_branch=taken, else_branch=other)
    return found if count > 1 else [found]
