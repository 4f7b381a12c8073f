"""Primitives of JAX's in terms of other primitives: what jax2onnx lacks, or has in a form that is no good."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

#: By the primitive's name; the first that does not give ``NotImplemented`` is taken.
DECOMPOSITIONS: dict[str, list[Callable[..., Any]]] = {}


def primitive(name: str) -> Callable[[F], F]:
    """The function, of the primitive's operands and parameters, stands in for it.

    It may give ``NotImplemented``: then the next is asked, and the primitive stays as it is where none is left.

    :param name: as a jaxpr prints it.
    """

    def register(function: F) -> F:
        DECOMPOSITIONS.setdefault(name, []).append(function)
        return function

    return register


#: Why a primitive is refused that has a translation, which is no good.
REFUSALS: dict[str, str] = {}


def refuse(name: str, why: str) -> None:
    """The primitive has no translation worth having.

    :param name: as a jaxpr prints it.
    """
    REFUSALS[name] = why


def load() -> None:
    """Import every file of ``jax_ops``, which register themselves: here, or with jax2onnx."""
    package = import_module("converters.jax_ops")
    for module in iter_modules(package.__path__, f"{package.__name__}."):
        import_module(module.name)
