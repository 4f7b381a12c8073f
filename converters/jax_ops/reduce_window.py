"""reduce_window, of whatever function"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np

from converters.jax_binding import evaluated
from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x: jax.lax.reduce_window(x, np.float32(1), jax.lax.mul, (1, 2, 3), (1, 1, 2), "SAME"),
         "float32[N,4,6]"),
    case(lambda jax, x: jax.lax.reduce_window(x, np.float32(1), lambda e, f: e * f + 0 * f, (1, 2), (1, 1),
                                              ((0, 0), (1, 0)), window_dilation=(1, 2)), "float32[N,5]"),
)  # fmt: skip

#: More places than these are too many copies.
_MOST = 64


@primitive("reduce_window")
def reduce_window(*given: Any, jaxpr: Any, consts: Any, window_dimensions: Any, window_strides: Any, padding: Any,
                  base_dilation: Any, window_dilation: Any) -> Any:  # fmt: skip
    """The function of every place in the window, each a slice with strides of what is padded with the first value"""
    from jax import lax
    from jax import numpy as jnp

    if len(given) != 2 or prod(window_dimensions) > _MOST:
        return NotImplemented
    x, first = given
    wide = lax.pad(x, first, [(low, high, d - 1) for (low, high), d in zip(padding, base_dilation, strict=True)])
    reach = [(w - 1) * d for w, d in zip(window_dimensions, window_dilation, strict=True)]
    found = None
    for place in product(*map(range, window_dimensions)):
        starts = [p * d for p, d in zip(place, window_dilation, strict=True)]
        limits = [s + size - r for s, size, r in zip(starts, wide.shape, reach, strict=True)]
        piece = lax.slice(wide, starts, limits, window_strides)
        found = jnp.broadcast_to(first, piece.shape) if found is None else found
        values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, found, piece), strict=True))
        (found,) = evaluated(jaxpr.eqns, values, jaxpr.outvars)
    return [found]
