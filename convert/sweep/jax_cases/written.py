"""Cases of JAX's functions as a call is written, over arrays of fixed names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from convert.spec import TensorSpec
from convert.sweep.case import Case, Made
from convert.sweep.jax_cases.build import Shape
from convert.sweep.written import SHARED, names_in

#: Arrays that arguments may name: dtype and shape.
ARRAYS: dict[str, tuple[str, Shape]] = {
    **SHARED,
    "q": ("float32", ()),
    "r": ("float32", ("N", 6, 5, 2)),
    "t": ("float32", ("N",)),
    "i": ("int32", ("N", 3, 4)),
    "j": ("int32", ("N", 3, 4)),
    "k": ("int32", (4,)),
}


def calls(module: str, table: Mapping[str, Iterable[str]], refuses: str = "") -> list[Case]:
    """Cases of ``<module>.<name>(<arguments>)``, for every name and each of its arguments.

    Arguments may speak of ``jnp``, ``lax``, ``jax`` and ``np`` too.

    :param refuses: as :class:`convert.sweep.case.Case` has it.
    """
    return [_call(f"{module}.{name}", given, refuses) for name, each in table.items() for given in each]


def _call(name: str, given: str, refuses: str) -> Case:
    names = names_in(given, ARRAYS)

    def make() -> Made:
        import jax
        import numpy as np

        # The words of the case are what is called: written once, they cannot say another thing.
        root, _, _ = name.partition(".")
        known = {root: import_module(root), "jax": jax, "jnp": jax.numpy, "lax": jax.lax, "np": np}
        function: Callable[..., Any] = eval(f"lambda {', '.join(names)}: {name}({given})", known)
        return Made(function, inputs=tuple(TensorSpec(n, *ARRAYS[n]) for n in names))

    return Case(name, given, make, refuses)
