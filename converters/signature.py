"""What a call takes: names, which are needed, which are nests and of what."""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Container, Mapping
from typing import Any

from converters.quiet import Attempt

#: Makes a nest from its members by key; the keys of a list are "0", "1".
Make = Callable[[Mapping[str, Any]], Any]


@dataclasses.dataclass(frozen=True)
class Argument:
    """One of its arguments.

    :param needed: it has no default. :param by_name: it can be given by its name only.
    :param make: how its annotation wants it made where it is a nest; None where it does not say.
    """

    name: str
    needed: bool
    by_name: bool = False
    make: Make | None = None


@dataclasses.dataclass(frozen=True)
class Signature:
    """All of them. :param any_number: ``*args``. :param any_name: ``**kwargs``."""

    arguments: tuple[Argument, ...]
    any_number: bool = False
    any_name: bool = False

    @property
    def names(self) -> list[str]:
        return [a.name for a in self.arguments]

    def __str__(self) -> str:
        shown = [a.name if a.needed else f"{a.name} (optional)" for a in self.arguments]
        shown += ["any number of others"] * self.any_number + ["any others by name"] * self.any_name
        return ", ".join(shown) or "no named arguments"


def signature_of(function: Callable[..., Any], without: Container[str] = ()) -> Signature:
    """Of any function.

    :param without: names of arguments that are none of the user's inputs.
    """
    hints: dict[str, Any] = {}
    with Attempt():  # names that only a type checker imports
        hints = typing.get_type_hints(function)
    given = [p for p in inspect.signature(function).parameters.values() if p.name not in without]
    return Signature(
        tuple(
            Argument(p.name, p.default is p.empty, by_name=p.kind is p.KEYWORD_ONLY, make=_make(hints.get(p.name)))
            for p in given
            if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ),
        any_number=any(p.kind is p.VAR_POSITIONAL for p in given),
        any_name=any(p.kind is p.VAR_KEYWORD for p in given),
    )


def by_argument(path: tuple[str | int, ...], takes: Signature) -> tuple[str | int, ...]:
    """(0, place, ...) and (1, name, ...) of arguments and keywords, by the arguments' names."""
    _, first, *rest = path
    if isinstance(first, int):
        positional = [a.name for a in takes.arguments if not a.by_name]
        first = positional[first] if first < len(positional) else f"input_{first}"
    return (first, *rest)


def made(members: Mapping[str, Any]) -> Any:
    """A list where the keys are 0, 1, 2 ..., else a dict."""
    return listed(members) if members.keys() == set(map(str, range(len(members)))) else dict(members)


def listed(members: Mapping[str, Any]) -> list[Any]:
    """In the order of their keys, which are numbers."""
    return [members[key] for key in sorted(members, key=lambda k: (len(k), k))]


def tupled(members: Mapping[str, Any]) -> tuple[Any, ...]:
    """Likewise."""
    return tuple(listed(members))


def _make(annotation: Any) -> Make | None:
    """How a nest of the annotated kind is made; None for tensors and what is not said."""
    origin = typing.get_origin(annotation) or annotation
    if origin in (typing.Union, types.UnionType):
        return next(filter(None, map(_make, typing.get_args(annotation))), None)
    if not isinstance(origin, type):
        return None
    if dataclasses.is_dataclass(origin) or (issubclass(origin, tuple) and hasattr(origin, "_fields")):
        cls: Callable[..., Any] = origin
        return lambda members: cls(**members)
    if issubclass(origin, tuple):
        return tupled
    if issubclass(origin, collections.abc.Mapping):
        return dict
    return listed if issubclass(origin, collections.abc.Sequence) and origin is not str else None
