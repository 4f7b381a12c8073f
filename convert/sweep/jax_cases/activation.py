"""Functions of ``jax.nn``."""

from __future__ import annotations

from typing import Any

from convert.sweep.case import Case
from convert.sweep.jax_cases.written import calls
from convert.sweep.written import many

FUNCTIONS: dict[str, tuple[str, ...]] = {
    **many("relu relu6 sigmoid soft_sign silu swish tanh hard_sigmoid hard_silu hard_swish hard_tanh log_sigmoid selu "
           "softplus mish identity sparse_plus sparse_sigmoid", "x"),
    "celu": ("x", "x, alpha=0.6"),
    "elu": ("x", "x, alpha=0.3"),
    "gelu": ("x", "x, approximate=False"),
    "glu": ("x", "x.transpose(0, 2, 1), axis=1"),
    "leaky_relu": ("x", "x, negative_slope=0.4"),
    "squareplus": ("x", "x, b=1.5"),
    "log1mexp": ("jnp.abs(x) + 0.1",),
    **many("softmax log_softmax", "x", "x, axis=1", "x, where=c"),
    **many("logsumexp logmeanexp", "x", "x, axis=1", "x, axis=(1, 2), keepdims=True", "x, axis=-1, where=c"),
    "standardize": ("x", "x, axis=1", "x, mean=0.1, variance=2.0, epsilon=0.01"),
    "one_hot": ("i, 5", "i, 5, axis=1"),
    "dot_product_attention": (
        "r, 2 * r, r + 1", "r, r, r, is_causal=True", "r, r, r, scale=0.3", "r, r, r, local_window_size=2",
        "r, r[:, :, :1], r[:, :, 1:2]", "r, r, r, mask=r[:, None, :, 0, :1] > 0",
    ),
}  # fmt: skip

EXCLUDED = {
    "jax.nn.get_scaled_dot_general_config": "a description, no function of arrays",
    "jax.nn.scaled_dot_general": "8-bit floats on GPUs",
    "jax.nn.scaled_matmul": "8-bit floats on GPUs",
}


def cases() -> list[Case]:
    return calls("jax.nn", FUNCTIONS)


def names(jax: Any) -> list[str]:
    """All that can be called."""
    return [f"jax.nn.{n}" for n, v in vars(jax.nn).items() if callable(v) and not n.startswith("_")]
