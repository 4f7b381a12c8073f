"""reduce_and, reduce_or and reduce_xor, of integers"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x: jax.lax.reduce_xor(x, (1,)), "int32[N,4]"),
    case(lambda jax, x: jax.lax.reduce_and(x, (1, 2)), "int32[N,2,3]"),
    case(lambda jax, x: jax.lax.reduce_or(x, (0,)), "int32[3,2]"),
    case(lambda jax, x: jax.lax.reduce_or(x > 0, (1,)), "int32[N,2]"),
)  # fmt: skip


def _one_by_one(name: str, combine: str) -> None:
    @primitive(name)
    def reduce(x: Any, *, axes: Any, **_: Any) -> Any:
        """One slice along the axis after the other"""
        from functools import reduce

        from jax import lax

        if x.dtype == np.bool_ or not all(isinstance(x.shape[axis], int) and x.shape[axis] for axis in axes):
            return NotImplemented
        for axis in sorted(axes, reverse=True):
            slices = [lax.index_in_dim(x, i, axis, keepdims=False) for i in range(x.shape[axis])]
            x = reduce(getattr(lax, combine), slices)
        return x


for _name in ("and", "or", "xor"):
    _one_by_one(f"reduce_{_name}", f"bitwise_{_name}")
