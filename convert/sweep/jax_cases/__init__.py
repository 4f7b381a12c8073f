"""The sweep of JAX: every layer of ``flax.linen`` and ``flax.nnx``, and the functions of ``jax.nn``, ``jax.numpy`` and
``jax.lax`` that take and give real arrays."""

from __future__ import annotations

from functools import cache
from importlib import metadata

from convert.sweep.case import Case
from convert.sweep.jax_cases import activation, functions, linen, nnx, primitives

_FAMILIES = (linen, nnx, activation, functions, primitives)


def title() -> str:
    """Versions of what is swept."""
    return f"JAX {metadata.version('jax')}, Flax {metadata.version('flax')}"


@cache
def cases() -> tuple[Case, ...]:
    return tuple(c for family in _FAMILIES for c in family.cases())


def names() -> list[str]:
    """Layers and functions, each by its full name."""
    import jax
    from flax import linen as flax_linen
    from flax import nnx as flax_nnx

    return [
        *linen.names(flax_linen),
        *nnx.names(flax_nnx),
        *activation.names(jax),
        *functions.names(jax),
        *primitives.names(jax),
    ]


def excluded() -> dict[str, str]:
    import jax

    others = functions.excluded(jax) | primitives.excluded(jax)
    return linen.EXCLUDED | nnx.EXCLUDED | activation.EXCLUDED | others
