"""scan"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_bodies import Body
from converters.jax_cases import case
from converters.jax_lowering import Builder, lowering


def _products(jax: Any, x: Any, **options: Any) -> Any:
    """Of what is carried on and of each slice of the first axis, what is open among them."""
    return jax.lax.scan(lambda s, e: (s * 0.5 + e, (s * s, e)), x[0] * 0, x, **options)


CASES = (
    case(lambda jax, x: _products(jax, x), "float32[N,3]"),
    case(lambda jax, x: _products(jax, x, reverse=True), "float32[N,3]"),
    case(lambda jax, x: _products(jax, x), "float32[60,N]"),
    case(lambda jax, x: _products(jax, x), "float32[3,N]"),
    case(lambda jax, x: jax.lax.map(lambda e: jax.numpy.sin(e).sum(), x), "float32[N,3]", gives="Scan"),
    case(lambda jax, x: jax.lax.fori_loop(0, 300, lambda i, v: v * 0.5 + i, x), "float32[N,3]"),
    case(lambda jax, x: jax.lax.scan(lambda s, _: (s / 2, s.sum()), x[0] * 0 + 1, x, reverse=True), "float32[N,3]"),
    case(lambda jax, x, y: jax.lax.scan(lambda s, e: (jax.numpy.tanh(s @ y) + e, s), x[0] * 0, x),
         "float32[N,3]", "float32[3,3]"),
    case(lambda jax, x: jax.lax.scan(lambda s, e: (_products(jax, e * s)[0].sum(), s), 1.0, x), "float32[N,M,3]"),
)  # fmt: skip


@lowering("scan")
def scan(g: Builder, *operands: Any, jaxpr: Any, length: Any, reverse: bool, num_consts: int, num_carry: int,
         **_: Any) -> Any:  # fmt: skip
    """Scan(carry, slices; body)"""
    held, given = operands[:num_consts], list(operands[num_consts:])
    body = Body(g, "scan")
    inputs = body.inputs(jaxpr.jaxpr.invars[num_consts:])
    slices = len(given) - num_carry
    if not slices:  # ONNX's goes along something
        given.append(g.Expand(g.constant(0, np.float32), g.sizes([length])))
        body.input((), np.float32)
    made = body.run(jaxpr, [*held, *inputs])
    turned = {"scan_input_directions": [1] * max(slices, 1)} if reverse else {}
    if reverse and len(made) > num_carry:
        turned["scan_output_directions"] = [1] * (len(made) - num_carry)
    found = g.Scan(*given, returns=len(made), body=body.graph(made), num_scan_inputs=max(slices, 1), **turned)
    return found if len(made) > 1 else [found]
