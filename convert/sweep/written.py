"""Cases of functions as a call is written: the words of a case are its arguments, over tensors of fixed names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

#: What arguments may name whatever the framework: dtype and shape. Whole numbers are of the framework's own dtype.
SHARED: dict[str, tuple[str, tuple[int | str, ...]]] = {
    **dict.fromkeys("xyz", ("float32", ("N", 3, 4))),
    "a": ("float32", ("N", 4, 4)),
    "b": ("float32", ("N", 4, 2)),
    "m": ("float32", (3, 4)),
    "n": ("float32", (4, 5)),
    "o": ("float32", (3, 5)),
    "u": ("float32", (4,)),
    "v": ("float32", (4,)),
    "w": ("float32", (3,)),
    "c": ("bool", ("N", 3, 4)),
    "d": ("bool", ("N", 3, 4)),
}


def many(names: str, *given: str) -> dict[str, tuple[str, ...]]:
    """The same arguments for all of these names.

    >>> many("sin cos", "x")
    {'sin': ('x',), 'cos': ('x',)}
    """
    return dict.fromkeys(names.split(), given)


def joined(*tables: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """All of the tables' arguments by name.

    >>> joined(many("max min", "x"), {"max": ("x, axis=1",)})
    {'max': ('x', 'x, axis=1'), 'min': ('x',)}
    """
    found: dict[str, tuple[str, ...]] = {}
    for table in tables:
        for name, given in table.items():
            found[name] = (*found.get(name, ()), *given)
    return found


def names_in(given: str, names: Iterable[str]) -> list[str]:
    """The tensors, of one letter each, that written arguments name, in the order of the alphabet.

    >>> names_in("y @ m, x=3, axis=n.ndim", "mnxy")
    ['m', 'n', 'y']
    """
    return sorted(set(re.findall(rf"(?<![\w.'])([{''.join(names)}])\b(?!\s*=(?!=))", given)))
