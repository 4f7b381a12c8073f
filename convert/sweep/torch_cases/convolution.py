"""Convolutions, transposed ones, folding and unfolding."""

from __future__ import annotations

from typing import Any

from convert.sweep.case import Case
from convert.sweep.torch_cases.build import Shape, built, each, function, module

#: Each size its own, so that no two axes can be taken for each other.
SHAPES: dict[int, Shape] = {1: ("N", 4, 11), 2: ("N", 4, 9, 13), 3: ("N", 4, 5, 6, 9)}


def cases() -> list[Case]:
    return [
        *(c for rank in SHAPES for c in (*_conv(rank), *_transposed(rank), *_functions(rank))),
        *_folding(),
        function("conv_tbc", (7, "N", 4), weights={"weight": (3, 4, 6), "bias": (6,)}, pad=1),
        built("torch.nn.Conv2d", "then BatchNorm2d and ReLU", SHAPES[2],
              lambda t: t.nn.Sequential(t.nn.Conv2d(4, 6, 3), t.nn.BatchNorm2d(6), t.nn.ReLU())),
        built("torch.nn.Conv2d", "weight_norm", SHAPES[2],
              lambda t: t.nn.utils.parametrizations.weight_norm(t.nn.Conv2d(4, 6, 3))),
    ]  # fmt: skip


def _conv(rank: int) -> list[Case]:
    base: dict[str, Any] = {"in_channels": 4, "out_channels": 6, "kernel_size": 3 if rank < 3 else 2}
    uneven = {"kernel_size": (2, 3, 1)[:rank], "stride": (2, 1, 3)[:rank], "padding": (1, 0, 1)[:rank]}
    return [
        *each(
            module, f"Conv{rank}d", SHAPES[rank], base,
            {"padding": "same"}, {"padding": "valid"}, {"padding": 1}, {"stride": 2}, {"stride": 2, "padding": 1},
            {"dilation": 2}, {"padding": "same", "dilation": 2}, {"groups": 2}, {"groups": 4, "out_channels": 4},
            {"bias": False}, uneven,
        ),
        *each(module, f"Conv{rank}d", SHAPES[rank], base | {"padding": 1, "padding_mode": "reflect"},
              {"padding_mode": "replicate"}, {"padding_mode": "circular"}, {"padding_mode": "zeros"}),
        module(f"Conv{rank}d", SHAPES[rank][1:], **base, words="no batch"),
    ]  # fmt: skip


def _transposed(rank: int) -> list[Case]:
    base: dict[str, Any] = {"in_channels": 4, "out_channels": 6, "kernel_size": 3 if rank < 3 else 2}
    return each(
        module, f"ConvTranspose{rank}d", SHAPES[rank], base,
        {"stride": 2}, {"padding": 1}, {"stride": 2, "padding": 1, "output_padding": 1}, {"dilation": 2},
        {"groups": 2}, {"groups": 4, "out_channels": 4, "stride": 2}, {"bias": False},
    )  # fmt: skip


def _functions(rank: int) -> list[Case]:
    shape, kernel = SHAPES[rank], (3, 3, 2)[:rank]
    bias: dict[str, Shape] = {"bias": (6,)}
    plain, grouped = {"weight": (6, 4, *kernel)} | bias, {"weight": (6, 2, *kernel)} | bias
    back, back_grouped = {"weight": (4, 6, *kernel)} | bias, {"weight": (4, 3, *kernel)} | bias
    in_name: dict[str, Any] = {"weights": {"weight": (6, 4, *kernel)}, "words": "no bias"}
    return [
        *each(function, f"conv{rank}d", shape, {"weights": plain}, {"stride": 2, "padding": 1},
              {"padding": "same"}, {"dilation": 2}, {"weights": grouped, "groups": 2}, in_name),
        function(f"conv{rank}d", [shape, (6, 4, *kernel)], words="run-time weight"),
        *each(function, f"conv_transpose{rank}d", shape, {"weights": back}, {"stride": 2, "output_padding": 1},
              {"padding": 1}, {"weights": back_grouped, "groups": 2}),
    ]  # fmt: skip


def _folding() -> list[Case]:
    base: dict[str, Any] = {"output_size": (4, 5), "kernel_size": 2}
    window: dict[str, Any] = {"kernel_size": (2, 3)}
    return [
        *each(module, "Fold", ("N", 12, 12), base),
        *each(module, "Fold", ("N", 12, 4), base | {"output_size": (4, 4), "stride": 2}),
        *each(module, "Fold", ("N", 12, 30), base | {"padding": 1}),
        *each(module, "Unfold", SHAPES[2], window, {"stride": 2}, {"padding": 1}, {"dilation": 2}),
        function("fold", ("N", 12, 12), **base),
        *each(function, "unfold", SHAPES[2], window, {"stride": 2, "padding": 1}),
    ]
