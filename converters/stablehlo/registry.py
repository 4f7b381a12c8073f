"""Operations of StableHLO in terms of ``jax.lax``: who does which.

An operation reads as an equation::

    @operation("stablehlo.transpose")
    def transpose(op, x):
        from jax import lax

        return lax.transpose(x, op["permutation"])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
#: What operands come as: arrays; arrays that may be narrower than the result (:class:`.values.Spread`); whatever
#: they are.
Takes = Literal["arrays", "spread", "any"]


@dataclass(frozen=True)
class Meaning:
    """What an operation does.

    :param function: ``(op, *operands) -> value``, or a list of values for an operation with several results or none.
    """

    function: Callable[..., Any]
    takes: Takes


#: By the operation's full name: "stablehlo.add".
OPERATIONS: dict[str, Meaning] = {}
#: By the name of what a ``custom_call`` calls.
CALLED: dict[str, Meaning] = {}
#: By the name of a ``composite``; one that is not here is what its decomposition says.
COMPOSITES: dict[str, Meaning] = {}


def operation(*names: str, takes: Takes = "arrays") -> Callable[[F], F]:
    """The function, of a :class:`.program.Op` and the operands, is the operation.

    :param names: with the dialect, as MLIR prints them.
    """
    return _register(OPERATIONS, names, takes)


def called(*names: str, takes: Takes = "arrays") -> Callable[[F], F]:
    """The function is what a ``custom_call`` of that name does."""
    return _register(CALLED, names, takes)


def composite(*names: str) -> Callable[[F], F]:
    """The function is the composite of that name."""
    return _register(COMPOSITES, names, "arrays")


def _register(table: dict[str, Meaning], names: Iterable[str], takes: Takes) -> Callable[[F], F]:
    def register(function: F) -> F:
        for name in names:
            if name in table:
                raise ValueError(f"two functions for {name}: {table[name].function} and {function}")
            table[name] = Meaning(function, takes)
        return function

    return register


def load() -> None:
    """Import every file of this package, which register what they have."""
    package = import_module("converters.stablehlo")
    for module in iter_modules(package.__path__, f"{package.__name__}."):
        import_module(module.name)
