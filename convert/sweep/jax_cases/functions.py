"""The functions of ``jax.numpy``, and those that take no arrays or give none."""

from __future__ import annotations

import inspect
import re
from typing import Any

from convert.sweep.case import Case
from convert.sweep.jax_cases.arrangement import SELECTION, SHAPES, UNFORESEEN
from convert.sweep.jax_cases.mathematics import ELEMENTWISE, PRODUCTS, REDUCTIONS
from convert.sweep.jax_cases.written import calls

#: Patterns of what is left out, and why.
REASONS = {
    "isdtype|can_cast|issubdtype|promote_types|result_type": "about dtypes",
    "broadcast_shapes|ndim|shape|size|iscomplexobj|isrealobj|isscalar|iterable": "about what is known without numbers",
    "array_repr|array_str|printoptions|get_printoptions|set_printoptions|einsum_path": "about text",
    "save|savez|load|fromfile|frombuffer|fromstring|fromiter|from_dlpack": "reads or writes files and buffers",
    "arange|eye|identity|indices|tri|(tril|triu|diag|mask)_indices|empty|ones|zeros|fromfunction": "takes no array",
    "bartlett|blackman|hamming|hanning|kaiser": "takes no array",
    "roots|sort_complex": "gives complex numbers",
}


def cases() -> list[Case]:
    return [
        *(c for table in (ELEMENTWISE, REDUCTIONS, PRODUCTS, SHAPES, SELECTION) for c in calls("jax.numpy", table)),
        *calls("jax.numpy", UNFORESEEN, refuses="Concret"),
    ]


def names(jax: Any) -> list[str]:
    """All that can be called, but for dtypes and other classes."""
    return [
        f"jax.numpy.{n}"
        for n, v in vars(jax.numpy).items()
        if callable(v) and not n.startswith("_") and not inspect.isclass(v) and not isinstance(v, jax.numpy.dtype)
        if not type(v).__name__.startswith("_ScalarMeta")
    ]


def excluded(jax: Any) -> dict[str, str]:
    return reasons(names(jax), "jax.numpy.", REASONS)


def reasons(names: list[str], prefix: str, patterns: dict[str, str]) -> dict[str, str]:
    """Of these names those that a pattern is for, with its reason."""
    return {
        name: reason
        for name in names
        for pattern, reason in patterns.items()
        if re.fullmatch(pattern, name.removeprefix(prefix))
    }
