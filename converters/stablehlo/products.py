"""Matrix products and convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converters.stablehlo.registry import operation
from converters.stablehlo.values import array_of, sizes_of


@operation("stablehlo.dot_general")
def dot_general(op: Any, x: Any, y: Any) -> Any:
    from jax import lax
    from jax.extend.mlir.dialects import stablehlo

    d = stablehlo.DotDimensionNumbers(op["dot_dimension_numbers"])
    contracted = (d.lhs_contracting_dimensions, d.rhs_contracting_dimensions)
    batched = (d.lhs_batching_dimensions, d.rhs_batching_dimensions)
    return lax.dot_general(x, y, (contracted, batched), preferred_element_type=op.types[0].dtype)


@operation("stablehlo.convolution")
def convolution(op: Any, x: Any, weights: Any) -> Any:
    rank = x.ndim - 2
    padding = op["padding"].tolist() if "padding" in op else [(0, 0)] * rank
    return _convolved(op, x, weights, padding)


@operation("stablehlo.dynamic_conv", takes="any")
def dynamic_conv(op: Any, x: Any, weights: Any, padding: Any) -> Any:
    widths = sizes_of(padding, "the widths of a convolution's padding")
    return _convolved(op, array_of(x), array_of(weights), list(zip(widths[::2], widths[1::2], strict=True)))


def _convolved(op: Any, x: Any, weights: Any, padding: Sequence[Any]) -> Any:
    from jax import lax
    from jax.extend.mlir.dialects import stablehlo

    d = stablehlo.ConvDimensionNumbers(op["dimension_numbers"])
    reversal = op.get("window_reversal") or []
    turned = [axis for axis, back in zip(d.kernel_spatial_dimensions, reversal, strict=False) if back]
    ones = [1] * (x.ndim - 2)
    return lax.conv_general_dilated(
        x,
        lax.rev(weights, turned) if turned else weights,
        window_strides=op.get("window_strides", ones),
        padding=[tuple(pair) for pair in padding],
        lhs_dilation=op.get("lhs_dilation", ones),
        rhs_dilation=op.get("rhs_dilation", ones),
        dimension_numbers=lax.ConvDimensionNumbers(
            (d.input_batch_dimension, d.input_feature_dimension, *d.input_spatial_dimensions),
            (d.kernel_output_feature_dimension, d.kernel_input_feature_dimension, *d.kernel_spatial_dimensions),
            (d.output_batch_dimension, d.output_feature_dimension, *d.output_spatial_dimensions),
        ),
        feature_group_count=op["feature_group_count"],
        batch_group_count=op["batch_group_count"],
        preferred_element_type=op.types[0].dtype,
    )
