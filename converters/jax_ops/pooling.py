"""reduce_window_max, reduce_window_min and reduce_window_sum"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_decompositions import primitive
from converters.jax_lowering import lowering


def _window(jax: Any, x: Any, start: float, combine: Any, size: tuple[int, ...], padding: str = "VALID") -> Any:
    return jax.lax.reduce_window(x, start, combine, size, tuple(min(s, 2) for s in size), padding)


CASES = (
    case(lambda jax, x: _window(jax, x, -jax.numpy.inf, jax.lax.max, (1, 2, 2, 1)), "float32[N,6,6,2]",
         gives="Transpose MaxPool Transpose"),
    case(lambda jax, x: _window(jax, x, -jax.numpy.inf, jax.lax.max, (1, 1, 3, 3), "SAME"), "float32[N,2,6,6]",
         gives="MaxPool"),
    case(lambda jax, x: _window(jax, x, jax.numpy.inf, jax.lax.min, (1, 3, 1)), "float32[N,7,2]"),
    case(lambda jax, x: _window(jax, x, 0.0, jax.lax.add, (1, 2, 2, 1), "SAME"), "float32[N,5,5,2]"),
    case(lambda jax, x: _window(jax, x, 0.0, jax.lax.add, (1, 2, 2, 2, 1)), "float32[N,4,4,4,2]"),
    case(lambda jax, x: _window(jax, x, 0.0, jax.lax.add, (2, 3)), "float32[5,6]"),
    case(lambda jax, x: _window(jax, x, 0.0, jax.lax.add, (1, 2, 1, 2, 1, 1)), "float32[2,4,3,4,2,2]"),
)  # fmt: skip

_WINDOW = ("window_dimensions", "window_strides", "padding", "base_dilation", "window_dilation")
_NAMES = ("reduce_window_max", "reduce_window_min", "reduce_window_sum")


def _pooled(p: dict[str, Any]) -> list[int]:
    """Axes on which the window does anything."""
    one = (1, 1, (0, 0), 1, 1)
    return [axis for axis in range(len(p["padding"])) if tuple(p[name][axis] for name in _WINDOW) != one]


def _is_plain(p: dict[str, Any]) -> bool:
    """As ONNX has it: a batch, channels, and one to three axes that are pooled."""
    pooled, rank = _pooled(p), len(p["padding"])
    return 3 <= rank <= 5 and all(axis >= 2 for axis in pooled)


def _transposed(name: str) -> None:
    @primitive(name)
    def reduce_window(x: Any, **p: Any) -> Any:
        """The pooled axes last, behind two of all the others."""
        from jax import lax
        from jax import numpy as jnp

        pooled = _pooled(p)
        if _is_plain(p) or len(pooled) > 3:
            return NotImplemented
        if not pooled:
            return x
        others = [axis for axis in range(x.ndim) if axis not in pooled]
        order = (*others, *pooled)
        y = lax.transpose(x, order)
        if len(others) != 2:
            shape = tuple(y.shape[: len(others)])
            y = jnp.reshape(y, (*shape[:1], prod(shape[1:]), *y.shape[len(others) :]) if others else (1, 1, *y.shape))
        inner = {n: ((1, 1) if n != "padding" else ((0, 0), (0, 0))) + tuple(p[n][a] for a in pooled) for n in _WINDOW}
        found = getattr(lax, f"{name}_p").bind(y, **inner)
        if len(others) != 2:
            found = jnp.reshape(found, (*(x.shape[a] for a in others), *found.shape[2:]))
        return lax.transpose(found, tuple(np.argsort(order)))


for _name in _NAMES:
    _transposed(_name)


def _attributes(p: dict[str, Any]) -> dict[str, Any] | None:
    if not _is_plain(p) or any(d != 1 for d in p["base_dilation"]):
        return None
    before, behind = zip(*p["padding"][2:], strict=True)
    return {
        "kernel_shape": list(p["window_dimensions"][2:]), "strides": list(p["window_strides"][2:]),
        "pads": [*before, *behind], "dilations": list(p["window_dilation"][2:]),
    }  # fmt: skip


def _pools(p: dict[str, Any], aval: Any) -> dict[str, Any] | None:
    """ONNX pools floats, and no window may lie in the padding alone."""
    given = _attributes(p)
    if given is None or not np.issubdtype(aval.dtype, np.floating):
        return None
    kernel = given["kernel_shape"]
    return given if all(pad < size for pad, size in zip(given["pads"], [*kernel, *kernel], strict=True)) else None


@lowering("reduce_window_max")
def reduce_window_max(g: Any, x: Any, **p: Any) -> Any:
    """MaxPool(x)"""
    given = _pools(p, g.inputs[0])
    return NotImplemented if given is None else g.MaxPool(x, **given)


@lowering("reduce_window_min")
def reduce_window_min(g: Any, x: Any, **p: Any) -> Any:
    """-MaxPool(-x)"""
    given = _pools(p, g.inputs[0])
    return NotImplemented if given is None else g.Neg(g.MaxPool(g.Neg(x), **given))


@lowering("reduce_window_sum")
def reduce_window_sum(g: Any, x: Any, **p: Any) -> Any:
    """AveragePool(x) * size of the window, with zeros around counted"""
    given = _pools(p, g.inputs[0])
    if given is None:
        return NotImplemented
    size = g.constant(prod(given["kernel_shape"]), g.inputs[0].dtype)
    return g.Mul(g.AveragePool(x, count_include_pad=1, **given), size)
