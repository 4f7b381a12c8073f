"""Topological order in linear time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def topological(
    items: Sequence[Item], reads: Callable[[Item], Iterable[object]], makes: Callable[[Item], Iterable[object]]
) -> list[Item]:
    """The items, each behind those that make what it reads (Kahn's algorithm); stable where they are in order already.

    Objects are told apart by identity. Items that depend on each other in a circle are left out.
    """
    produced = {id(o) for item in items for o in makes(item)}
    made: set[int] = set()
    waiting: dict[int, list[Item]] = {}
    missing: dict[int, int] = {}
    order: list[Item] = []
    for item in items:
        needs = {i for i in map(id, reads(item)) if i in produced and i not in made}
        if needs:
            missing[id(item)] = len(needs)
            for need in needs:
                waiting.setdefault(need, []).append(item)
            continue
        ready = [item]
        while ready:
            current = ready.pop()
            order.append(current)
            for out in makes(current):
                made.add(id(out))
                for reader in waiting.pop(id(out), ()):
                    missing[id(reader)] -= 1
                    if not missing[id(reader)]:
                        ready.append(reader)
    return order
