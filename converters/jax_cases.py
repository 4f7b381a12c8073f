"""Cases of translations of JAX's primitives: functions that come down to one, and what they are called with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """One function.

    :param function: of ``jax`` and of the inputs; it imports nothing, so that neither does its file.
    :param inputs: dtypes and shapes, as ``--input`` takes them, without names; N is open.
    :param gives: operators of ONNX that come of it, in order; "" for whatever.
    :param refuses: words of the refusal; "" for none.
    """

    function: Callable[..., Any]
    inputs: tuple[str, ...]
    gives: str = ""
    refuses: str = ""


def case(function: Callable[..., Any], *inputs: str, gives: str = "", refuses: str = "") -> Case:
    """
    >>> case(lambda jax, x: jax.numpy.stack([x, x]), "float32[N,3]", gives="Unsqueeze Unsqueeze Concat").inputs
    ('float32[N,3]',)
    """
    return Case(function, inputs, gives, refuses)
