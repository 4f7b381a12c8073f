"""Convolutions, transposed, separable and depthwise ones."""

from __future__ import annotations

from typing import Any

from convert.sweep.case import Case
from convert.sweep.keras_cases.build import each, first_axes

#: Channels-last, each size its own, so that no two axes can be taken for each other; of results too: channels first,
#: Keras 3.15 adds a bias along the width where that is as many as there are channels (``ops.add`` of TensorFlow's).
SHAPES = {1: (11, 4), 2: (9, 13, 4), 3: (5, 6, 9, 4)}

_FIRST: dict[str, Any] = {"data_format": "channels_first"}


def cases() -> list[Case]:
    return [
        *(c for rank in SHAPES for c in _conv(rank)),
        *(c for rank in SHAPES for c in _transposed(rank)),
        *(c for rank in (1, 2) for c in _separable(rank)),
        *(c for rank in (1, 2) for c in _depthwise(rank)),
    ]


def _conv(rank: int) -> list[Case]:
    name, shape = f"Conv{rank}D", SHAPES[rank]
    base = {"filters": 6, "kernel_size": 3 if rank < 3 else 2}
    found = each(
        name, shape, base,
        {"padding": "same"}, {"strides": 2}, {"strides": 2, "padding": "same"}, {"dilation_rate": 2},
        {"dilation_rate": 2, "padding": "same"}, {"groups": 2}, {"groups": 4, "filters": 8}, {"use_bias": False},
        {"activation": "relu"}, {"kernel_size": 1}, {"activation": "gelu", "groups": 2, "padding": "same"},
    )  # fmt: skip
    if rank == 1:
        found += each(name, shape, {**base, "padding": "causal"}, {"dilation_rate": 2}, {"strides": 2})
    else:
        sizes = (1, 3, 2)[:rank]
        found += each(name, shape, {**base, "kernel_size": sizes}, {"strides": (2, 1, 3)[:rank], "padding": "same"})
    return found + each(
        name, first_axes(shape), base | _FIRST,
        {"padding": "same"}, {"strides": 2, "padding": "same"}, {"groups": 2}, {"use_bias": False},
        {"dilation_rate": 2},
    )  # fmt: skip


def _transposed(rank: int) -> list[Case]:
    name, shape = f"Conv{rank}DTranspose", SHAPES[rank]
    base = {"filters": 3, "kernel_size": 3}
    found = each(
        name, shape, base,
        {"padding": "same"}, {"strides": 2}, {"strides": 2, "padding": "same"}, {"strides": 2, "output_padding": 1},
        {"strides": 2, "padding": "same", "output_padding": 1}, {"strides": 2, "padding": "same", "output_padding": 0},
        {"use_bias": False}, {"activation": "relu", "strides": 3}, {"kernel_size": 2, "strides": 2},
        {"kernel_size": 4, "strides": 2, "padding": "same"}, {"kernel_size": 2, "strides": 3},
        {"dilation_rate": 2},
    )  # fmt: skip
    return found + each(
        name, first_axes(shape), base | _FIRST,
        {"padding": "same"}, {"strides": 2, "padding": "same"}, {"strides": 2, "output_padding": 1},
    )  # fmt: skip


def _separable(rank: int) -> list[Case]:
    name, shape = f"SeparableConv{rank}D", SHAPES[rank]
    base = {"filters": 6, "kernel_size": 3}
    return each(
        name, shape, base,
        {"padding": "same"}, {"strides": 2}, {"strides": 2, "padding": "same"}, {"dilation_rate": 2},
        {"depth_multiplier": 2}, {"use_bias": False}, {"activation": "silu", "padding": "same"},
    ) + each(name, first_axes(shape), base | _FIRST, {"strides": 2, "padding": "same"})  # fmt: skip


def _depthwise(rank: int) -> list[Case]:
    name, shape = f"DepthwiseConv{rank}D", SHAPES[rank]
    base = {"kernel_size": 3}
    return each(
        name, shape, base,
        {"padding": "same"}, {"strides": 2}, {"strides": 2, "padding": "same"}, {"dilation_rate": 2},
        {"depth_multiplier": 2},
        {"use_bias": False}, {"activation": "relu6", "depth_multiplier": 3, "padding": "same"},
    ) + each(name, first_axes(shape), base | _FIRST, {"strides": 2, "padding": "same"})  # fmt: skip
