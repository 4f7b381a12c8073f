"""Cases of functions as a call is written: the words of a case are its arguments, over tensors of fixed names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping


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
