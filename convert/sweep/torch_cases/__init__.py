"""The sweep of PyTorch: every module of ``torch.nn``, every function of ``torch.nn.functional``, and the functions of
``torch``, ``torch.special`` and ``torch.linalg``."""

from __future__ import annotations

import inspect
from functools import cache
from importlib import metadata

from convert.sweep.case import Case
from convert.sweep.torch_cases import (
    activation,
    attention,
    containers,
    convolution,
    dense,
    loss,
    mathematics,
    normalization,
    operators,
    pooling,
    recurrent,
)

_RANDOM = "draws at random, in evaluation mode too"

#: What has no numbers to compare, and why.
EXCLUDED = {
    "torch.nn.Module": "the base class: it computes nothing",
    "torch.nn.Container": "the base class of containers, deprecated: it computes nothing",
    "torch.nn.RNNBase": "the base class of recurrent modules: it computes nothing",
    "torch.nn.RNNCellBase": "the base class of cells: it computes nothing",
    "torch.nn.DataParallel": "spreads a batch over several GPUs: convert the module in it",
    "torch.nn.FractionalMaxPool2d": _RANDOM,
    "torch.nn.FractionalMaxPool3d": _RANDOM,
    "torch.nn.functional.fractional_max_pool2d": _RANDOM,
    "torch.nn.functional.fractional_max_pool2d_with_indices": _RANDOM,
    "torch.nn.functional.fractional_max_pool3d": _RANDOM,
    "torch.nn.functional.fractional_max_pool3d_with_indices": _RANDOM,
    "torch.nn.functional.gumbel_softmax": _RANDOM,
    "torch.nn.functional.assert_int_or_pair": "checks an argument: no tensors",
    "torch.nn.functional.scaled_grouped_mm": "for 8-bit floats on GPUs",
    "torch.nn.functional.scaled_mm": "for 8-bit floats on GPUs",
}

#: Where functions of ``torch.nn.functional`` come from; what else stands there is PyTorch's machinery.
_HOMES = ("torch.nn.functional", "torch", "torch._C._nn")

_FAMILIES = (
    dense, convolution, pooling, normalization, activation, attention, recurrent, loss, containers,
    operators, mathematics,
)  # fmt: skip


def title() -> str:
    """Version of what is swept."""
    return f"PyTorch {metadata.version('torch')}"


@cache
def cases() -> tuple[Case, ...]:
    return tuple(c for family in _FAMILIES for c in family.cases())


def names() -> list[str]:
    """Modules and functions, each by its full name."""
    import torch

    modules = [n for n, v in vars(torch.nn).items() if inspect.isclass(v) and issubclass(v, torch.nn.Module)]
    functions = [
        n
        for n, v in vars(torch.nn.functional).items()
        if inspect.isroutine(v) and not n.startswith("_") and v.__module__ in _HOMES
    ]
    return [
        *(f"torch.nn.{n}" for n in modules),
        *(f"torch.nn.functional.{n}" for n in functions),
        *operators.names(torch),
        *mathematics.names(torch),
    ]


def excluded() -> dict[str, str]:
    import torch

    return EXCLUDED | mathematics.EXCLUDED | operators.excluded(torch)
