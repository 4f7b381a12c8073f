"""Pools: local, global and adaptive."""

from __future__ import annotations

from typing import Any

from convert.sweep.case import Case
from convert.sweep.keras_cases.build import each, first_axes
from convert.sweep.keras_cases.convolution import SHAPES

_FIRST: dict[str, Any] = {"data_format": "channels_first"}


def cases() -> list[Case]:
    found = []
    for rank, shape in SHAPES.items():
        for kind in ("Max", "Average"):
            found += _local(f"{kind}Pooling{rank}D", rank)
            name = f"Global{kind}Pooling{rank}D"
            found += each(name, shape, {}, {"keepdims": True})
            found += each(name, first_axes(shape), _FIRST)
            found += _adaptive(f"Adaptive{kind}Pooling{rank}D", rank)
    return found


def _local(name: str, rank: int) -> list[Case]:
    shape = SHAPES[rank]
    found = each(
        name, shape, {"pool_size": 2},
        {"padding": "same"}, {"pool_size": 3, "strides": 1}, {"pool_size": 3, "strides": 1, "padding": "same"},
        {"pool_size": 3, "strides": 2, "padding": "same"},
    )  # fmt: skip
    if rank > 1:
        found += each(name, shape, {"pool_size": (1, 3, 2)[:rank], "strides": (2, 1, 3)[:rank]}, {"padding": "same"})
    return found + each(
        name, first_axes(shape), {"pool_size": 2} | _FIRST, {"pool_size": 3, "strides": 2, "padding": "same"}
    )


def _adaptive(name: str, rank: int) -> list[Case]:
    shape = SHAPES[rank]
    sizes = tuple(3 + k for k in range(rank))
    return each(name, shape, {"output_size": 1}, {"output_size": sizes}) + each(
        name, first_axes(shape), {"output_size": 2} | _FIRST
    )
