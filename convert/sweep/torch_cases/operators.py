"""Functions of ``torch`` on real tensors; those that ``torch.nn.functional`` has too are there."""

from __future__ import annotations

import inspect
import re
from typing import Any

from convert.sweep.case import Case
from convert.sweep.torch_cases.written import calls
from convert.sweep.written import many

_UNIT, _POSITIVE, _MANY = "x.tanh() * 0.9", "x.abs() + 0.1", "x.abs() + 1.1"
_INDEX = "i.clamp(0, 2)"

ELEMENTWISE: dict[str, tuple[str, ...]] = {
    **many("abs absolute angle arcsinh arctan asinh atan ceil clone cos cosh deg2rad detach erf erfc exp exp2 expm1 "
           "fix floor frac i0 isfinite isinf isnan isneginf isposinf isreal nan_to_num neg negative ones_like positive "
           "rad2deg real round sgn sign signbit sin sinc sinh square tan trunc zeros_like conj "
           "conj_physical resolve_conj resolve_neg", "x"),
    **many("acos arccos arcsin arctanh asin atanh erfinv", _UNIT),
    **many("acosh arccosh", _MANY),
    **many("digamma lgamma log log10 log1p log2 reciprocal rsqrt sqrt", _POSITIVE),
    **many("add eq ge greater greater_equal gt heaviside hypot isclose le less less_equal logaddexp logaddexp2 lt "
           "maximum minimum fmax fmin mul multiply ne not_equal sub subtract copysign rsub atan2 arctan2",
           "x, y"),
    **many("div divide true_divide floor_divide fmod remainder", "x, y.abs() + 0.5"),
    **many("bitwise_and bitwise_or bitwise_xor", "i, j", "c, d"),
    **many("bitwise_left_shift bitwise_right_shift", "i.abs(), j.clamp(0, 3)"),
    **many("bitwise_not", "i", "c"),
    **many("logical_and logical_or logical_xor", "c, d", "x, y"),
    "logical_not": ("c", "x"),
    **many("gcd lcm", "i, j.abs() + 1"),
    **many("igamma igammac", "x.abs() + 0.1, y.abs() + 0.1"),
    "addcdiv": ("x, y, z.abs() + 0.5, value=0.5",),
    "addcmul": ("x, y, z, value=0.5", "x, u, z"),
    **many("clamp clip", "x, -0.5, 0.5", "x, min=0.2"),
    "clamp_max": ("x, 0.3",),
    "clamp_min": ("x, 0.3",),
    "dequantize": ("x",),
    "fake_quantize_per_channel_affine": (
        "x, torch.full((3,), 0.1), torch.zeros(3, dtype=torch.int32), 1, -128, 127",),
    "fake_quantize_per_tensor_affine": ("x, 0.1, 3, 0, 255",),
    "float_power": (f"{_POSITIVE}, 2.5",),
    "frexp": ("x",),
    "full_like": ("x, 0.5",),
    "isin": ("i, torch.tensor([1, 3])",),
    "ldexp": ("x, i",),
    "lerp": ("x, y, 0.3", "x, y, z"),
    "logit": ("x.tanh() * 0.4 + 0.5", "x, eps=0.1"),
    "masked_fill": ("x, c, 0.5",),
    "mvlgamma": ("x.abs() + 2, 2",),
    "nextafter": ("x, y",),
    "polygamma": (f"1, {_POSITIVE}",),
    "pow": (f"{_POSITIVE}, y", "x, 3"),
    "where": ("c, x, y", "c, x, 0.5"),
    "xlogy": ("x, y.abs() + 0.1",),
}  # fmt: skip

REDUCTIONS: dict[str, tuple[str, ...]] = {
    **many("amax amin logsumexp", "x, 1", "x, (1, 2)"),
    **many("all any", "c", "x, 1"),
    **many("argmax argmin aminmax", "x, dim=1", "x"),
    **many("max min", "x", "x, 1"),
    **many("mean nanmean nansum sum prod", "x", "x, 1"),
    **many("std var std_mean var_mean", "x, 1", "x, (1, 2), correction=0"),
    **many("median nanmedian mode", "x, 1"),
    **many("quantile nanquantile", "x, 0.3, 1"),
    **many("cummax cummin cumprod cumsum logcumsumexp", "x, 1", "x, 2"),
    **many("argsort sort", "x, 1", "x, 1, True"),
    "corrcoef": ("m + 3 * torch.eye(*m.shape)",),
    "count_nonzero": ("x.round(), 1",),
    "cov": ("m",),
    "dist": ("x, y", "x, y, 1"),
    "histc": ("m, 4, -1, 1",),
    "kthvalue": ("x + torch.arange(3.0)[:, None], 2, 1",),  # of equals, any may be named
    "msort": ("x",),
    "norm": ("x", "x, 1, 2"),
    "renorm": ("x, 2, 1, 0.5",),
    "topk": ("x + torch.arange(4.0), 2", "x + torch.arange(3.0)[:, None], 2, 1, False"),  # as above
    **many("cumulative_trapezoid", "x", "x, dx=0.5"),
    **many("trapezoid trapz", "x", "x, dx=0.5"),
    "diff": ("x", "x, 2, 1"),
    "gradient": ("x, dim=1",),
    "trace": ("m",),
    "bucketize": ("x, torch.tensor([-1.0, 0.0, 1.0])",),
    "searchsorted": ("torch.tensor([-1.0, 0.0, 1.0]), x, right=True",),
    "segment_reduce": ("m, 'sum', lengths=torch.tensor([1, 2])",),
}

PRODUCTS: dict[str, tuple[str, ...]] = {
    "addbmm": ("torch.ones(4, 2), a, b",),
    "addmm": ("o, m, n", "o, m, n, beta=0.5, alpha=2.0"),
    "addmv": ("w, m, u",),
    "addr": ("m, w, u",),
    "baddbmm": ("b, a, b", "b, a, b, beta=0.5, alpha=2.0"),
    "block_diag": ("m, n",),
    "bmm": ("a, b",),
    "cartesian_prod": ("u, w",),
    "cdist": ("x, y", "x, y, p=1.0"),
    "chain_matmul": ("m, n",),
    "combinations": ("u",),
    "cross": ("x, y, dim=1",),
    "dot": ("u, v",),
    "einsum": ("'bij,bkj->bik', x, y", "'ij,jk->ik', m, n"),
    "ger": ("u, w",),
    "inner": ("x, u",),
    "kron": ("m, n",),
    "matmul": ("a, b", "x, n"),
    "mm": ("m, n",),
    "mv": ("m, u",),
    "outer": ("u, w",),
    "tensordot": ("x, n, 1", "x, m, ([1, 2], [0, 1])"),
    "vdot": ("u, v",),
}

#: The older names of functions of ``torch.linalg``, and numbers that are complex on the way.
ALGEBRA: dict[str, tuple[str, ...]] = {
    **many("det inverse logdet slogdet matrix_exp pinverse lu qr geqrf", "a @ a.mT + torch.eye(4)"),
    **many("cholesky cholesky_inverse", "a @ a.mT + torch.eye(4)"),
    "cholesky_solve": ("b, (a @ a.mT + torch.eye(4)).tril()",),
    "lu_solve": ("b, *torch.linalg.lu_factor(a + 3 * torch.eye(4))",),
    "lu_unpack": ("*torch.linalg.lu_factor(a + 3 * torch.eye(4))",),
    "matrix_power": ("a, 3",),
    "orgqr": ("a, x[:, 0]",),
    "ormqr": ("a, x[:, 0], b",),
    "triangular_solve": ("b, a + 3 * torch.eye(4)",),
    "imag": ("torch.complex(x, y) * torch.complex(y, x)",),
    "view_as_real": ("torch.complex(x, y)", "torch.stft(x.flatten(1), 4, return_complex=True)"),
    "istft": ("torch.stft(x.flatten(1), 4, return_complex=True), 4",),
    "histogram": ("m, 4, range=(-1.0, 1.0)",),
    "histogramdd": ("m[:, :2], [2, 3], range=[-1.0, 1.0, -1.0, 1.0]",),
}

SHAPES: dict[str, tuple[str, ...]] = {
    **many("adjoint atleast_1d atleast_2d atleast_3d fliplr flipud ravel", "x"),
    "broadcast_tensors": ("x, u",),
    "broadcast_to": ("u, (3, 4)",),
    **many("cat concat concatenate", "[x, y]", "[x, y], 1"),
    **many("chunk unsafe_chunk", "x, 2, 1"),
    **many("hstack vstack dstack column_stack row_stack", "[x, y]"),
    "diag": ("u", "m"),
    "diag_embed": ("x",),
    "diagflat": ("u",),
    "diagonal": ("a, 0, 1, 2", "a, 1, 1, 2"),
    "diagonal_scatter": ("a, x[:, 0], 0, 1, 2",),
    "dsplit": ("x, 2",),
    "flatten": ("x", "x, 1"),
    "flip": ("x, [1]", "x, [1, 2]"),
    "gather": (f"x, 1, {_INDEX}",),
    "hsplit": ("x, 3",),
    "index_add": ("x, 1, torch.tensor([0, 2]), y[:, :2]",),
    "index_copy": ("x, 1, torch.tensor([0, 2]), y[:, :2]",),
    "index_fill": ("x, 1, torch.tensor([0, 2]), 0.5",),
    "index_put": ("m, (torch.tensor([0, 2]), torch.tensor([1, 3])), torch.tensor([0.5, 1.5])",),
    "index_reduce": ("x, 1, torch.tensor([0, 2]), y[:, :2], 'amax'",),
    "index_select": ("x, 1, torch.tensor([0, 2])",),
    "masked_scatter": ("m, m > 0, o",),
    "meshgrid": ("u, w, indexing='ij'",),
    **many("moveaxis movedim", "x, 1, 2"),
    "narrow": ("x, 1, 1, 2",),
    "permute": ("x, (0, 2, 1)",),
    "put": ("m, torch.tensor([1, 5]), torch.tensor([0.5, 1.5])",),
    "repeat_interleave": ("x, 2, 1",),
    "reshape": ("x, (-1, 12)", "x, (-1, 2, 6)"),
    "roll": ("x, 1, 2", "x, (1, 2), (1, 2)"),
    "rot90": ("x, 1, (1, 2)",),
    "scatter": (f"x, 1, {_INDEX}, y", f"x, 1, {_INDEX}, 0.5"),
    "scatter_add": (f"x, 1, {_INDEX}, y",),
    "scatter_reduce": (f"x, 1, {_INDEX}, y, 'amax'", f"x, 1, {_INDEX}, y, 'mean'"),
    "select": ("x, 1, 2",),
    "select_scatter": ("x, y[:, 1], 1, 0",),
    "slice_scatter": ("x, y[:, :2], 1, 0, 2",),
    **many("split unsafe_split", "x, 2, 1"),
    **many("split_with_sizes unsafe_split_with_sizes", "x, [1, 2], 1"),
    "squeeze": ("x[:, :1]", "x[:, :1], 1"),
    "stack": ("[x, y]", "[x, y], 1"),
    **many("swapaxes swapdims transpose", "x, 1, 2"),
    "t": ("m",),
    "take": ("m, torch.tensor([0, 7])",),
    "take_along_dim": (f"x, {_INDEX}, 1",),
    "tensor_split": ("x, 3, 2",),
    "tile": ("x, (1, 2, 1)",),
    "tril": ("x", "x, 1"),
    "triu": ("x", "x, 1"),
    "unbind": ("x, 1",),
    "unflatten": ("x, 2, (2, 2)",),
    "unravel_index": (f"{_INDEX}, (3, 4)",),
    "unsqueeze": ("x, 1", "x, -1"),
    "vsplit": ("m, 3",),
    "bincount": ("i.clamp(0, 4).flatten()",),
    "masked_select": ("x, c",),
    **many("nonzero argwhere", "x.round()"),
    "unique_consecutive": ("i",),
    "nonzero_static": ("x.round(), size=4",),
}

#: What has a shape only when its values are known, which SOFIE gives to no tensor.
UNFORESEEN: dict[str, tuple[str, ...]] = {"unique": ("i",)}

#: Patterns of what is left out, and why; the first that fits says.
REASONS = {
    r".*_copy|slice_inverse|native_.*|norm_except_dim|frobenius_norm|nuclear_norm|as_strided_scatter|"
    r"hash_tensor": "PyTorch's own form of a function that is here",
    r"affine_grid_generator|grid_sampler.*|convolution|constant_pad_nd|feature_dropout|gru.*|lstm.*|rnn_.*":
        "what modules and functions of torch.nn call",
    r"fbgemm_.*|quantized_.*|quantize_.*|q_.*|int_repr|choose_qparams.*|fused_moving_avg.*": "of quantised tensors",
    r"miopen_.*|batch_norm_.*": "for GPUs",
    r"sym_.*|is_.*|allclose|equal|numel|get_device": "gives no tensor",
    r"dsmm|hsmm|hspmm|saddmm|smm|spmm|sspaddmm": "of sparse tensors",
    r"complex|polar|view_as_complex.*|stft": "gives complex numbers",
    r"bernoulli|binomial|poisson|multinomial|pca_lowrank|svd_lowrank|lobpcg|empty_like": "draws at random",
    r"svd": "gives vectors whose signs are the library's choice",
}  # fmt: skip


def cases() -> list[Case]:
    return [
        *(c for table in (ELEMENTWISE, REDUCTIONS, PRODUCTS, ALGEBRA, SHAPES) for c in calls("torch", table)),
        *calls("torch", UNFORESEEN, refuses="depends on the values"),
    ]


def names(torch: Any) -> list[str]:
    """Public functions of ``torch`` that take tensors, as PyTorch itself lists them; none that works in place."""
    # past its cache, which may have been filled while a translation stood in for a function
    known = inspect.unwrap(torch.overrides.get_testing_overrides)()
    return [
        f"torch.{n}"
        for n, v in sorted(vars(torch).items())
        if inspect.isroutine(v) and v in known and not n.startswith("_") and not n.endswith("_")
        if not hasattr(torch.nn.functional, n)
    ]  # fmt: skip


def excluded(torch: Any) -> dict[str, str]:
    """What of :func:`names` has a reason."""
    covered = {c.name for c in cases()}
    found: dict[str, str] = {}
    for name in set(names(torch)) - covered:
        for pattern, reason in REASONS.items():
            if name not in found and re.fullmatch(pattern, name.removeprefix("torch.")):
                found[name] = reason
    return found
