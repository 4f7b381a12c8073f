"""Functions of ``jax.numpy`` that compute: element by element, along axes, and of matrices."""

from __future__ import annotations

from convert.sweep.written import joined, many

_POSITIVE, _BELOW_ONE = "jnp.abs(x) + 0.1", "jnp.tanh(x) * 0.9"

ELEMENTWISE: dict[str, tuple[str, ...]] = {
    **many("abs absolute acosh arccosh", "1 + jnp.abs(x)"),
    **many("acos arccos asin arcsin atanh arctanh", _BELOW_ONE),
    **many("arcsinh asinh arctan atan cbrt ceil conj conjugate cos cosh deg2rad degrees exp exp2 expm1 fabs floor "
           "frexp i0 imag isfinite isinf isnan isneginf isposinf iscomplex isreal modf nan_to_num negative positive "
           "rad2deg radians real rint sign signbit sin sinc sinh spacing square tan tanh trunc round around angle copy "
           "reciprocal", "x"),
    **many("log log10 log1p log2 sqrt", _POSITIVE),
    **many("add arctan2 atan2 copysign divide divmod equal floor_divide fmax fmin fmod greater greater_equal heaviside "
           "hypot less less_equal logaddexp logaddexp2 maximum minimum mod multiply nextafter not_equal remainder "
           "subtract true_divide isclose allclose array_equal array_equiv", "x, y"),
    **many("bitwise_and bitwise_or bitwise_xor", "i, j", "c, d"),
    **many("bitwise_not bitwise_invert invert", "i", "c"),
    **many("bitwise_left_shift bitwise_right_shift left_shift right_shift", "i, jnp.clip(j, 0, 5)"),
    **many("logical_and logical_or logical_xor", "c, d", "x > 0.5, y > 0.5"),
    **many("gcd lcm", "jnp.clip(i, -20, 20), jnp.clip(j, -20, 20)"),
    **many("power pow", f"{_POSITIVE}, y", "x, 3", "x, 2.0"),
    "float_power": (f"{_POSITIVE}, y", "x, 3"),
    "logical_not": ("c", "x > 0"),
    "bitwise_count": ("i",),
    "ldexp": ("x, jnp.clip(i, -5, 5)",),
    "clip": ("x, -0.5, 0.5", "x, min=0.0", "x, y, y + 1"),
    "astype": ("x, jnp.int32", "i, jnp.float32", "x, jnp.bool_"),
    "interp": ("x, jnp.arange(4.0), jnp.array([0.0, 1.0, -1.0, 2.0])", "x, jnp.sort(u), v",
               "x, jnp.sort(u), v, left=0.0, right=1.0"),
    "unwrap": ("3 * x", "3 * x, axis=1"),
    "piecewise": ("x, [x < 0, x > 1], [-1.0, lambda e: e * 2, 0.5]",),
    "select": ("[x > 1, x > 0], [x, y], 0.5",),
    "where": ("c, x, y", "x > 0, x, 0.0"),
    "choose": ("k, [u, v], mode='clip'", "k, [u, v], mode='wrap'"),
    "polyval": ("u, x", "jnp.array([1.0, -2.0, 0.5]), x"),
    "vectorize": ("lambda e, f: e + 2 * f)(x, y", "lambda e: e.sum(), signature='(n)->()')(x"),
    "frompyfunc": ("lambda e, f: e + 2 * f, 2, 1, identity=0)(x, y",),
}  # fmt: skip

REDUCTIONS = joined({
    **many("amax amin max min mean std sum var prod ptp nanmax nanmean nanmin nanprod nanstd nansum nanvar median "
           "nanmedian", "x", "x, axis=1", "x, axis=(1, 2), keepdims=True"),
    **many("all any count_nonzero", "c", "c, axis=1", "x > 0, axis=(1, 2)"),
    **many("argmax argmin nanargmax nanargmin", "x", "x, axis=1", "x, axis=-1, keepdims=True"),
    **many("cumprod cumsum nancumprod nancumsum", "x, axis=1", "x", "i, axis=-1"),
    **many("cumulative_prod cumulative_sum", "x, axis=1", "x, axis=1, include_initial=True"),
    "average": ("x, axis=1", "x, axis=-1, weights=v", "x"),
    **many("quantile nanquantile", "x, 0.3, axis=1", "x, jnp.array([0.25, 0.5]), axis=-1",
           "x, 0.4, axis=1, method='nearest'"),
    **many("percentile nanpercentile", "x, 30, axis=1", "x, jnp.array([25.0, 50.0]), axis=-1"),
    "apply_along_axis": ("lambda e: e.sum(), 1, x",),
    "apply_over_axes": ("jnp.sum, x, (1, 2)",),
    "trapezoid": ("x", "x, axis=1, dx=0.5", "x, jnp.array([0.0, 1.0, 3.0, 4.0])"),
    "diff": ("x", "x, axis=1, n=2", "x, prepend=0.0"),
    "ediff1d": ("x", "u, to_begin=1.0"),
    "gradient": ("x, axis=1", "x, 0.5, axis=-1", "m"),
    "corrcoef": ("m", "m, m"),
    "cov": ("m", "m, ddof=0", "m.T, rowvar=False"),
    "histogram": ("x, bins=5, range=(-2, 2)", "u, bins=jnp.array([-1.0, 0.0, 0.5, 2.0])", "u, bins=4"),
    "histogram_bin_edges": ("u, bins=4", "u, bins=4, range=(0, 1)"),
    "histogram2d": ("u, v, bins=3, range=[[-2, 2], [-2, 2]]",),
    "histogramdd": ("m.T, bins=2, range=[(-2, 2)] * 3",),
    "bincount": ("jnp.clip(i, 0, 4).ravel(), length=5", "jnp.clip(k, 0, 4), weights=u, length=5"),
    "digitize": ("x, jnp.array([-0.5, 0.0, 0.5])", "x, jnp.array([0.5, 0.0, -0.5]), right=True"),
    "searchsorted": ("jnp.array([-0.5, 0.0, 0.5]), x", "jnp.sort(u), x, side='right'"),
}, many("max min", "x, axis=1, where=c, initial=0.5", "i, axis=-1"), {
    "std": ("x, axis=1, ddof=1",),
    "sum": ("x, axis=1, where=c", "i, axis=1", "c, axis=1"),
})  # fmt: skip

PRODUCTS: dict[str, tuple[str, ...]] = {
    "convolve": ("u, w", "u, w, mode='same'", "u, w, mode='valid'"),
    "correlate": ("u, w", "u, w, mode='same'", "u, w, mode='full'"),
    "cross": ("x.transpose(0, 2, 1), y.transpose(0, 2, 1)", "w, w + 1", "x, y, axis=1"),
    "dot": ("x, n", "m, n", "u, v", "x, u"),
    "einsum": ("'nij,nkj->nik', x, y", "'nij,jk', x, n", "'nii->n', a", "'...i,...i', x, y", "'i,j->ij', u, w"),
    "inner": ("x, v", "m, m"),
    "kron": ("m, n", "u, w"),
    "matmul": ("x, n", "a, b", "x, u", "u, b", "x[:, None], jnp.stack([a, a + 1], 1)"),
    "matvec": ("x, u", "a, b[:, :, 0]"),
    "outer": ("u, w", "x, u"),
    "tensordot": ("x, n, 1", "x, y, ((0, 1, 2), (0, 1, 2))", "u, w, 0"),
    "vdot": ("u, v", "x, y"),
    "vecdot": ("x, y", "x, y, axis=1"),
    "vecmat": ("u, a", "b[:, :, 0], a"),
    "poly": ("u", "jnp.array([1.0, 2.0]) + u[:2]"),
    **many("polyadd polymul polysub", "u, w", "w, u"),
    "polyder": ("u", "u, m=2"),
    "polyint": ("u", "u, m=2"),
    "polydiv": ("u, jnp.array([1.0, 2.0])",),
    "polyfit": ("jnp.arange(4.0), u, 2",),
    "trace": ("a, axis1=1, axis2=2", "m"),
    "vander": ("u", "u, 3, increasing=True"),
}  # fmt: skip
