"""What a suite of cases is: the protocol between the driver and a framework's cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from convert.errors import UsageError
from convert.spec import TensorSpec

if TYPE_CHECKING:
    from sofie_bridge.samples import Arrays


@dataclass(frozen=True)
class Made:
    """A model of a case.

    :param model: what :func:`converters.load` takes.
    :param inputs: dtypes and shapes, where the model does not say. :param example: positional example inputs.
    :param samples: inputs to compare on beside those that are drawn, by name, for a batch of :data:`BATCH`.
    """

    model: Any
    inputs: tuple[TensorSpec, ...] = ()
    example: tuple[Any, ...] = ()
    samples: Arrays = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One model to convert.

    :param name: the class or function that it is about ("keras.layers.Conv2D").
    :param words: its arguments ("filters=4, strides=2"); with ``name`` the case's identity.
    :param make: imports the framework and makes the model.
    :param refuses: words of the refusal that is right for this case, because what it gives are no numbers or cannot be
        known beforehand; empty for the others.
    """

    name: str
    words: str
    make: Callable[[], Made]
    refuses: str = ""

    def __str__(self) -> str:
        return f"{self.name}({self.words})"


class Suite(Protocol):
    """A module of cases."""

    #: What is swept, in one line ("Keras 3.15.1, TensorFlow 2.21.0").
    def title(self) -> str: ...

    def cases(self) -> Sequence[Case]:
        """The same list in every process."""

    def names(self) -> Sequence[str]:
        """What the framework has, by introspection: each wants a case or a reason."""

    def excluded(self) -> Mapping[str, str]:
        """What is left out, and why."""


#: Modules by the name on the command line.
SUITES = {"jax": "convert.sweep.jax_cases", "keras": "convert.sweep.keras_cases", "torch": "convert.sweep.torch_cases"}

#: Size of a fixed batch.
BATCH = 3


def suite_of(name: str) -> Suite:
    """A suite by its name on the command line, or a module that is one.

    :raises UsageError: two cases have one name and arguments.
    """
    suite = cast(Suite, import_module(SUITES.get(name, name)))
    seen: set[str] = set()
    for case in suite.cases():
        if str(case) in seen:
            raise UsageError(f"two cases are {case}", where=name)
        seen.add(str(case))
    return suite


def without_case(suite: Suite) -> list[str]:
    """What has neither a case nor a reason; and reasons for what has a case or is not there. One sentence each."""
    names, excluded = set(suite.names()), set(suite.excluded())
    covered = {c.name for c in suite.cases()}
    return [
        *(f"no case for {n}" for n in sorted(names - covered - excluded)),
        *(f"{n} has a case and is excluded" for n in sorted(covered & excluded)),
        *(f"the framework has no {n}" for n in sorted((covered | excluded) - names)),
    ]
