"""conv_general_dilated"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_decompositions import primitive
from converters.jax_lowering import lowering


def _conv(jax: Any, x: Any, kernel: Any, layout: str, kernels: str, **given: Any) -> Any:
    strides = given.pop("window_strides", (2,) * (x.ndim - 2))
    padding = given.pop("padding", "SAME" if "lhs_dilation" not in given else ((1, 1),) * (x.ndim - 2))
    return jax.lax.conv_general_dilated(
        x, kernel, strides, padding, dimension_numbers=(layout, kernels, layout), **given
    )


CASES = (
    case(lambda jax, x, k: _conv(jax, x, k, "NWC", "WIO"), "float32[N,7,2]", "float32[3,2,4]"),
    case(lambda jax, x, k: _conv(jax, x, k, "NHWC", "HWIO"), "float32[N,7,6,2]", "float32[3,2,2,4]",
         gives="Transpose Transpose Conv Transpose"),
    case(lambda jax, x, k: _conv(jax, x, k, "NDHWC", "DHWIO"), "float32[N,5,6,4,2]", "float32[3,2,2,2,4]"),
    case(lambda jax, x, k: _conv(jax, x, k, "NCHW", "OIHW"), "float32[N,2,7,6]", "float32[4,2,3,3]", gives="Conv"),
    case(lambda jax, x, k: _conv(jax, x, k, "NHWC", "HWIO", feature_group_count=2), "float32[N,7,6,4]",
         "float32[3,2,2,4]"),
    case(lambda jax, x, k: _conv(jax, x, k, "NHWC", "HWIO", rhs_dilation=(2, 1)), "float32[N,9,6,2]",
         "float32[3,2,2,4]"),
    case(lambda jax, x, k: _conv(jax, x, k, "NHWC", "HWIO", padding=((-1, 2), (0, -2))), "float32[N,9,6,2]",
         "float32[3,2,2,4]"),
    case(lambda jax, x, k: _conv(jax, x, k, "NHWC", "HWIO", window_strides=(1, 1), lhs_dilation=(2, 2)),
         "float32[N,5,4,2]", "float32[3,3,2,4]"),
    case(lambda jax, x, k: _conv(jax, x, k, "NHWC", "HWIO", lhs_dilation=(3, 2)), "float32[N,5,4,2]",
         "float32[3,3,2,4]"),
    case(lambda jax, x, k: jax.lax.conv_transpose(x, k, (2, 2), "SAME"), "float32[N,5,4,2]", "float32[3,3,2,4]"),
    case(lambda jax, x, k: jax.lax.conv_transpose(x, k, (2,), "VALID"), "float32[N,5,2]", "float32[3,2,4]"),
    case(lambda jax, x, k: jax.lax.conv_transpose(x, k, (2, 1, 2), "VALID"), "float32[N,3,4,2,2]",
         "float32[2,3,2,2,4]"),
    case(lambda jax, x, k: _conv(jax, x, k, "NHWC", "HWIO", window_strides=(1, 1), lhs_dilation=(2, 1),
         rhs_dilation=(1, 2), feature_group_count=2, padding=((3, 1), (0, 6))), "float32[N,5,4,4]", "float32[3,2,2,6]"),
)  # fmt: skip


@primitive("conv_general_dilated")
def channels_first(x: Any, kernel: Any, **p: Any) -> Any:
    """In ONNX's layout, batch, channels, space, whatever the layout; padding that cuts off, done beforehand

    Zeros between the input's values are ConvTranspose's strides, but where the window has strides too they are put in.
    """
    from jax import lax

    numbers, plain = p["dimension_numbers"], tuple(range(x.ndim))
    between, steps, pads = p["lhs_dilation"], p["window_strides"], p["padding"]
    spread = any(d > 1 for d in between) and any(s > 1 for s in steps)
    cut = any(pad < 0 for pair in pads for pad in pair)
    if all(tuple(spec) == plain for spec in numbers) and not spread and not cut:
        return NotImplemented
    y, w = lax.transpose(x, numbers.lhs_spec), lax.transpose(kernel, numbers.rhs_spec)
    if spread or cut:
        edges = [(min(a, 0), min(b, 0)) for a, b in pads]
        space = [(*edge, d - 1) for edge, d in zip(edges, between, strict=True)]
        y = lax.pad(y, np.zeros((), x.dtype), [(0, 0, 0), (0, 0, 0), *space])
        between, pads = (1,) * len(between), tuple((max(a, 0), max(b, 0)) for a, b in pads)
    given = p | {"dimension_numbers": lax.ConvDimensionNumbers(plain, plain, plain), "lhs_dilation": between,
                 "padding": pads}  # fmt: skip
    found = lax.conv_general_dilated_p.bind(y, w, **given)
    return lax.transpose(found, tuple(np.argsort(numbers.out_spec)))


@lowering("conv_general_dilated")
def conv(g: Any, x: Any, kernel: Any, **p: Any) -> Any:
    """Conv(x, kernel); ConvTranspose where there are zeros between the input's values"""
    plain = tuple(range(g.inputs[0].ndim))
    same = g.inputs[0].dtype == g.inputs[1].dtype == g.outputs[0].dtype
    if not same or p["batch_group_count"] != 1 or len(plain) < 3:
        return NotImplemented
    if any(tuple(spec) != plain for spec in p["dimension_numbers"]):
        return NotImplemented
    if any(d != 1 for d in p["lhs_dilation"]):
        return _transposed(g, x, kernel, p)
    before, behind = zip(*p["padding"], strict=True)
    return g.Conv(x, kernel, strides=list(p["window_strides"]), pads=[*before, *behind],
                  dilations=list(p["rhs_dilation"]), group=p["feature_group_count"],
                  kernel_shape=list(g.inputs[1].shape[2:]))  # fmt: skip


def _transposed(g: Any, x: Any, kernel: Any, p: dict[str, Any]) -> Any:
    """The kernel turned round, its channels exchanged in each group; what JAX pads is what ONNX cuts off less."""
    if any(step != 1 for step in p["window_strides"]):
        return NotImplemented
    outer, inner, *sizes = g.inputs[1].shape
    groups, axes = p["feature_group_count"], range(len(sizes))
    turned = kernel
    for axis, size in enumerate(sizes):
        turned = g.Gather(turned, g.constant(list(range(size - 1, -1, -1))), axis=axis + 2)
    parted = g.Reshape(turned, g.constant([groups, outer // groups, inner, *sizes]))
    swapped = g.Transpose(parted, perm=[0, 2, 1, *(axis + 3 for axis in axes)])
    weights = g.Reshape(swapped, g.constant([groups * inner, outer // groups, *sizes]))
    reach = [(size - 1) * d for size, d in zip(sizes, p["rhs_dilation"], strict=True)]
    cut = [r - low for r, (low, _) in zip(reach, p["padding"], strict=True)]
    cut += [r - high for r, (_, high) in zip(reach, p["padding"], strict=True)]
    found = g.ConvTranspose(x, weights, strides=list(p["lhs_dilation"]), dilations=list(p["rhs_dilation"]),
                            group=groups, pads=[max(c, 0) for c in cut], kernel_shape=list(sizes))  # fmt: skip
    if min(cut) >= 0:
        return found
    # Windows that see nothing but padding.
    wide = [max(-c, 0) for c in cut]
    return g.Pad(found, g.constant([0, 0, *wide[: len(sizes)], 0, 0, *wide[len(sizes) :]]), mode="constant")
