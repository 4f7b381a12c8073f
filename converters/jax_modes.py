"""Evaluation mode, where the call of a JAX model takes it as an argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

#: Arguments that tell training from evaluation, by their usual names, and what they are in evaluation.
SWITCHES: Mapping[str, bool] = {
    "train": False,
    "training": False,
    "is_training": False,
    "enable_dropout": False,
    "deterministic": True,
    "use_running_average": True,
    "inference": True,
}


def evaluation(function: Callable[..., Any]) -> dict[str, bool]:
    """Those that the function takes by name."""
    given = inspect.signature(function).parameters.values()
    return {p.name: SWITCHES[p.name] for p in given if p.name in SWITCHES and p.kind is not p.POSITIONAL_ONLY}


def said(switches: Mapping[str, bool], *others: str) -> tuple[str, ...]:
    """A note for the user.

    >>> said({"train": False}, "nnx's eval()")
    ("taken in evaluation mode: train=False, nnx's eval()",)
    """
    parts = [*(f"{name}={value}" for name, value in switches.items()), *others]
    return (f"taken in evaluation mode: {', '.join(parts)}",) if parts else ()
