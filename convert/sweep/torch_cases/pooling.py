"""Pooling: maxima, means, norms, to a size, and back."""

from __future__ import annotations

from typing import Any

from convert.sweep.case import Case
from convert.sweep.torch_cases.build import Shape, built, calling, each, function, module
from convert.sweep.torch_cases.convolution import SHAPES


def cases() -> list[Case]:
    return [c for rank in SHAPES for c in (*_max(rank), *_average(rank), *_lp(rank), *_adaptive(rank), *_back(rank))]


def _max(rank: int) -> list[Case]:
    shape = SHAPES[rank]
    base: dict[str, Any] = {"kernel_size": 2 if rank > 1 else 3}
    return [
        *each(module, f"MaxPool{rank}d", shape, base, {"stride": 1}, {"padding": 1}, {"dilation": 2},
              {"ceil_mode": True}, {"return_indices": True}, {"kernel_size": (3, 2, 1)[:rank]}),
        *each(function, f"max_pool{rank}d", shape, base, {"stride": 1, "padding": 1}, {"dilation": 2},
              {"ceil_mode": True}),
        function(f"max_pool{rank}d_with_indices", shape, **base),
    ]  # fmt: skip


def _average(rank: int) -> list[Case]:
    shape = SHAPES[rank]
    base: dict[str, Any] = {"kernel_size": 2 if rank > 1 else 3}
    padded: dict[str, Any] = {"padding": 1, "count_include_pad": False}
    found = [
        *each(module, f"AvgPool{rank}d", shape, base, {"stride": 1}, {"padding": 1}, padded, {"ceil_mode": True},
              {"ceil_mode": True, "padding": 1}),
        *each(function, f"avg_pool{rank}d", shape, base, {"stride": 1}, padded, {"ceil_mode": True}),
    ]  # fmt: skip
    return found + ([module(f"AvgPool{rank}d", shape, **base, divisor_override=3)] if rank > 1 else [])


def _lp(rank: int) -> list[Case]:
    shape = SHAPES[rank]
    base: dict[str, Any] = {"norm_type": 2, "kernel_size": 2}
    return [
        *each(module, f"LPPool{rank}d", shape, base, {"stride": 1}, {"ceil_mode": True}),
        module(f"LPPool{rank}d", shape, norm_type=3, kernel_size=2, prepare=[abs]),  # of sums below 0 it has no root
        *each(function, f"lp_pool{rank}d", shape, base, {"norm_type": 1, "stride": 3}),
    ]


def _adaptive(rank: int) -> list[Case]:
    shape, uneven = SHAPES[rank], (4, 6, 2)[:rank]
    halves: tuple[Any, ...] = (*(None,) * (rank - 1), 3)
    found: list[Case] = []
    for kind, lower in (("Avg", "avg"), ("Max", "max")):
        name = f"Adaptive{kind}Pool{rank}d"
        found += each(module, name, shape, {"output_size": 1}, {"output_size": 3}, {"output_size": uneven})
        found += each(function, f"adaptive_{lower}_pool{rank}d", shape, {"output_size": 1}, {"output_size": 2})
        if rank > 1:
            found.append(module(name, shape, output_size=halves))
    return [
        *found,
        module(f"AdaptiveMaxPool{rank}d", shape, output_size=3, return_indices=True),
        function(f"adaptive_max_pool{rank}d_with_indices", shape, output_size=3),
    ]


def _back(rank: int) -> list[Case]:
    """Maxima put back where they were; the places are another pooling's."""
    shape: Shape = ("N", 4, *(6, 8, 4)[:rank])

    def both(torch: Any, **given: Any) -> Any:
        pool = getattr(torch.nn, f"MaxPool{rank}d")(2, return_indices=True, **given)
        back = getattr(torch.nn, f"MaxUnpool{rank}d")(2, **given)
        return calling(lambda p, u, x: u(*p(x)), pool, back)

    def functions(torch: Any) -> Any:
        pool = getattr(torch.nn.functional, f"max_pool{rank}d")
        back = getattr(torch.nn.functional, f"max_unpool{rank}d")
        return calling(lambda x: back(*pool(x, 2, return_indices=True), 2))

    return [
        built(f"torch.nn.MaxUnpool{rank}d", "kernel_size=2", shape, both),
        built(f"torch.nn.MaxUnpool{rank}d", "kernel_size=2, stride=2, padding=1", shape, lambda t: both(t, padding=1)),
        built(f"torch.nn.functional.max_unpool{rank}d", "kernel_size=2", shape, functions),
    ]
