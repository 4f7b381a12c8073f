"""The functions of ``jax.lax``, and those that take no arrays or give none."""

from __future__ import annotations

import inspect
from typing import Any

from convert.sweep.case import Case
from convert.sweep.jax_cases.functions import reasons
from convert.sweep.jax_cases.written import calls
from convert.sweep.written import many

_POSITIVE, _BELOW_ONE = "jnp.abs(x) + 0.1", "jnp.tanh(x) * 0.9"
_BOTH_POSITIVE = "jnp.abs(x) + 0.1, jnp.abs(y) + 0.1"

ELEMENTWISE: dict[str, tuple[str, ...]] = {
    **many("abs asinh atan bessel_i0e bessel_i1e cbrt ceil cos cosh erf erfc exp exp2 expm1 floor is_finite logistic "
           "neg optimization_barrier reciprocal sign sin sinh square stop_gradient tan tanh", "x"),
    **many("acos asin atanh erf_inv", _BELOW_ONE),
    **many("acosh", "1 + jnp.abs(x)"),
    **many("log log1p rsqrt sqrt digamma lgamma", _POSITIVE),
    **many("add atan2 div eq ge gt le lt max min mul ne nextafter rem sub", "x, y"),
    **many("igamma igammac", _BOTH_POSITIVE),
    **many("igamma_grad_a random_gamma_grad", _BOTH_POSITIVE),
    **many("bitwise_and bitwise_or bitwise_xor", "i, j", "c, d"),
    **many("bitwise_not", "i", "c"),
    **many("clz population_count", "i"),
    **many("shift_left shift_right_arithmetic shift_right_logical", "i, jnp.clip(j, 0, 5)"),
    "mulhi": ("i, j",),
    "betainc": ("jnp.abs(x) + 0.5, jnp.abs(y) + 0.5, jnp.tanh(z) * 0.4 + 0.5",),
    "zeta": ("jnp.abs(x) + 1.5, jnp.abs(y) + 0.1",),
    "polygamma": ("jnp.full_like(x, 2.0), jnp.abs(x) + 0.1",),
    "bitcast_convert_type": ("x, jnp.int32", "i, jnp.float32"),
    "clamp": ("-0.5, x, 0.5", "y, x, y + 1"),
    "convert_element_type": ("x, jnp.int32", "i, jnp.float32", "c, jnp.float32"),
    "full_like": ("x, 0.5",),
    "integer_pow": ("x, 3", "x, -2"),
    "pow": (f"{_POSITIVE}, y", "x, 3"),
    "reduce_precision": ("x, 8, 7",),
    "round": ("x", "x, lax.RoundingMethod.TO_NEAREST_EVEN"),
    "select": ("c, x, y",),
    "select_n": ("c, x, y", "jnp.clip(i, 0, 2), x, y, x + y"),
}  # fmt: skip


PRODUCTS: dict[str, tuple[str, ...]] = {
    "batch_matmul": ("a, b",),
    "dot": ("m, n", "u, v"),
    "dot_general": ("a, b, (((2,), (1,)), ((0,), (0,)))", "x, y, (((2,), (2,)), ((0,), (0,)))"),
    "conv": ("r.transpose(0, 3, 1, 2), jnp.ones((3, 2, 3, 3)), (1, 1), 'SAME'",),
    "conv_general_dilated": (
        "r, jnp.ones((3, 3, 2, 4)), (2, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')",
        "x, jnp.arange(6.0).reshape(2, 3, 1), (1,), 'VALID'",
        "r, jnp.ones((3, 3, 1, 4)), (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'), feature_group_count=2",
    ),
    "conv_general_dilated_local": (
        "r.transpose(0, 3, 1, 2), jnp.arange(480.0).reshape(3, 8, 5, 4) / 100, (1, 1), 'VALID', (2, 2)",
    ),
    "conv_general_dilated_patches": ("r.transpose(0, 3, 1, 2), (2, 2), (1, 1), 'VALID'",),
    "conv_transpose": ("r, jnp.ones((3, 3, 2, 4)), (2, 2), 'SAME'", "r, jnp.ones((2, 2, 2, 4)), (2, 2), 'VALID'"),
    "conv_with_general_padding": ("x, jnp.arange(6.0).reshape(2, 3, 1), (1,), [(1, 0)], None, None",),
    "ragged_dot": ("m, jnp.ones((2, 4, 5)), jnp.array([1, 2])",),
    "ragged_dot_general": (
        "m, jnp.ones((2, 4, 5)), jnp.array([1, 2]), "
        "lax.RaggedDotDimensionNumbers((((1,), (1,)), ((), ())), [0], [0])",
    ),
}  # fmt: skip

REDUCTIONS: dict[str, tuple[str, ...]] = {
    **many("cumlogsumexp cummax cummin cumprod cumsum", "x, axis=1", "x, axis=2, reverse=True"),
    **many("argmax argmin", "x, 1, jnp.int32"),
    **many("approx_max_k approx_min_k", "x, 2"),
    **many("reduce_max reduce_min reduce_prod reduce_sum", "x, (1,)", "x, (0, 2)"),
    **many("reduce_and reduce_or", "c, (1,)"),
    **many("reduce_xor", "c, (1,)", "i, (1,)"),
    "reduce": ("x, np.float32(0), lax.add, (1,)", "x, np.float32(1), lambda e, f: e * f, (2,)"),
    "reduce_window": (
        "r, np.float32(0), lax.add, (1, 2, 2, 1), (1, 2, 2, 1), 'VALID'",
        "r, -np.inf, lax.max, (1, 2, 3, 1), (1, 1, 1, 1), 'SAME'",
        "r, np.float32(1), lax.mul, (1, 2, 2, 1), (1, 1, 1, 1), 'VALID'",
    ),
    "associative_scan": ("lax.add, x, axis=1", "jnp.maximum, x, reverse=True, axis=2"),
    "top_k": ("x, 2", "i, 3"),
    "sort": ("x", "x, dimension=1"),
    "sort_key_val": ("x, y", "i, x, dimension=1"),
}  # fmt: skip

SHAPES: dict[str, tuple[str, ...]] = {
    "broadcast": ("u, (2, 3)",),
    "broadcast_in_dim": ("u, (3, 4), (1,)", "x, (x.shape[0], 3, 2, 4), (0, 1, 3)"),
    "broadcast_like": ("u, x",),
    "broadcast_to_rank": ("u, 3",),
    "collapse": ("x, 1, 3",),
    "concatenate": ("[x, y], 1",),
    "expand_dims": ("x, (1,)",),
    "full": ("(3, 4), q",),
    "index_in_dim": ("x, 1, axis=1", "x, -1, axis=2, keepdims=False"),
    "index_take": ("x, (jnp.clip(k[:2], 0, 3),), (2,)",),
    "pad": ("x, 0.5, ((0, 0, 0), (1, 2, 0), (0, 0, 0))", "x, 0.0, ((0, 0, 0), (0, 0, 1), (-1, 0, 0))"),
    "reshape": ("x, (x.shape[0], 12)", "m, (2, 6)"),
    "rev": ("x, (1,)", "x, (1, 2)"),
    "slice": ("m, (0, 1), (3, 4), (1, 2)",),
    "slice_in_dim": ("x, 1, 3, axis=2",),
    "split": ("x, (1, 3), axis=2",),
    "squeeze": ("x[:, :1], (1,)",),
    "stack": ("[x, y]", "[x, y], axis=1"),
    "tile": ("x, (1, 2, 1)",),
    "transpose": ("x, (0, 2, 1)", "x, (2, 0, 1)"),
    "unstack": ("x, axis=1",),
    "dynamic_index_in_dim": ("x, k[0], axis=1", "x, 1, axis=1, keepdims=False"),
    "dynamic_slice": ("m, (k[0], k[1]), (2, 2)", "x, (0, 1, k[0]), (x.shape[0], 2, 2)"),
    "dynamic_slice_in_dim": ("x, k[0], 2, axis=1",),
    "dynamic_update_index_in_dim": ("x, y[:, 0], k[0], 1", "x, y[:, 0], 1, 1"),
    "dynamic_update_slice": ("m, n[:2, :2], (k[0], k[1])", "x, y[:, :2], (0, 1, 0)"),
    "dynamic_update_slice_in_dim": ("x, y[:, :2], k[0], 1",),
    "gather": (
        "m, jnp.clip(k, 0, 2)[:, None], lax.GatherDimensionNumbers((1,), (0,), (0,)), (1, 4)",
        "m, jnp.clip(k, 0, 2)[:, None], lax.GatherDimensionNumbers((1, 2), (), (0,)), (1, 2)",
    ),
    **many("scatter scatter_add scatter_max scatter_min scatter_mul scatter_sub",
           "m, jnp.array([[0], [2]]), n[:2, :4], lax.ScatterDimensionNumbers((1,), (0,), (0,))"),
    "scatter_apply": ("m, jnp.array([[0], [2]]), jnp.sin, lax.ScatterDimensionNumbers((1,), (0,), (0,)), "
                      "update_shape=(2, 4)",),
}  # fmt: skip

CONTROL: dict[str, tuple[str, ...]] = {
    "composite": ("lambda e: e * 2, name='my.double')(x",),
    "cond": ("x.sum() > 0, lambda e: e + 1, lambda e: e * 2, x",
             "x.sum() > 0, lambda e: lax.while_loop(lambda f: (f < 9).any(), lambda f: 2 * f + 1, abs(e)), jnp.sin, x"),
    "custom_linear_solve": ("lambda e: 2 * e, x, lambda f, g: g / 2, symmetric=True",),
    "custom_root": ("lambda e: 2 * e - x, x, lambda f, g: g - f(g) / 2, lambda f, g: g / 2",),
    "fori_loop": ("0, 3, lambda p, e: e * 1.5 + p, x", "0, 200, lambda p, e: e * 0.5 + p, x",
                  "0, jnp.clip(k[0], 0, 9), lambda p, e: e * 0.5 + p, x"),
    "map": ("lambda e: e * 2 + 1, m", "lambda e: jnp.sin(e).sum(), m"),
    "platform_dependent": ("x, default=jnp.sin", "x, cpu=jnp.sin, tpu=jnp.cos"),
    "scan": ("lambda e, f: (e + f, e * f), u, m", "lambda e, f: (e + f, e * f), u, m, reverse=True",
             "lambda e, f: (e + f, e * f), x[0] * 0, x", "lambda e, f: (e * 0.5 + f.sum(), e), x, v, reverse=True",
             "lambda e, f: (jnp.tanh(e @ f), None), x, jnp.stack([jnp.eye(4) * 0.5] * 5)",
             "lambda e, f: (e * 0.5 + f, e), x[:, 0], jnp.tile(x, (1, 30, 1)).swapaxes(0, 1)"),
    "switch": ("k[0], [jnp.sin, jnp.cos, jnp.tanh], x",),
    "while_loop": ("lambda e: e[0] < 3, lambda e: (e[0] + 1, e[1] * 1.5), (0, x)",
                   "lambda e: e[0] < 300, lambda e: (e[0] + 1, e[1] * 0.5 + 1), (0, x)",
                   "lambda e: (abs(e * e - 2) > 1e-3).any(), lambda e: (e + 2 / e) / 2, jnp.clip(abs(x), 1, 9)"),
}  # fmt: skip

#: Patterns of what is left out, and why.
REASONS = {
    "after_all|create_token|dce_sink|stage": "about the order of effects",
    "broadcast_shapes|conv_dimension_numbers|conv_general_permutations|.*shape_tuple": "about shapes",
    "dtype|padtype_to_pads|shape_as_value": "about shapes and dtypes",
    "all_gather|(ragged_)?all_to_all|axis_index|axis_size|pbroadcast|pcast|pmax|pmean|pmin|ppermute": "between devices",
    "precv|psend|pshuffle|psum|psum_scatter|pswapaxes|with_sharding_constraint": "between devices",
    "broadcasted_iota|iota|empty": "takes no array",
    "complex|conj|fft|imag|real": "of complex numbers",
    "rng_bit_generator|rng_uniform": "draws at random",
    "scaled_dot": "8-bit floats on GPUs",
    "DotDimensionNumbers|PrecisionLike|ConvGeneralDilatedDimensionNumbers": "a type",
}


def cases() -> list[Case]:
    return [c for table in (ELEMENTWISE, PRODUCTS, REDUCTIONS, SHAPES, CONTROL) for c in calls("jax.lax", table)]


def names(jax: Any) -> list[str]:
    """All that can be called, but for classes."""
    return [
        f"jax.lax.{n}"
        for n, v in vars(jax.lax).items()
        if callable(v) and not n.startswith("_") and not inspect.isclass(v)
    ]


def excluded(jax: Any) -> dict[str, str]:
    return reasons(names(jax), "jax.lax.", REASONS)
