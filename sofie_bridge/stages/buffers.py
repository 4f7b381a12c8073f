"""Memory for the tensors between stages: one buffer serves several that are not there at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Lifetime:
    """A tensor between stages.

    :param begin: the step that makes it. :param end: the last that reads it.
    :param size: in bytes, at most: a number or an expression of sizes.
    """

    tensor: str
    begin: int
    end: int
    size: Any


@dataclass
class Buffer:
    """Memory, and what it holds one after the other; as large as the largest of them."""

    tensors: list[Lifetime]

    @property
    def sizes(self) -> list[Any]:
        """Of the tensors, equal ones once."""
        return list(dict.fromkeys(t.size for t in self.tensors))


def share(lifetimes: Sequence[Lifetime]) -> list[Buffer]:
    """Give each tensor the free buffer that fits it best, the large ones first; a new one where none is free."""
    buffers: list[Buffer] = []
    for tensor in sorted(lifetimes, key=lambda t: (_rank(t.size), -t.begin), reverse=True):
        free = [b for b in buffers if all(_apart(tensor, other) for other in b.tensors)]
        same = [b for b in free if tensor.size in b.sizes]
        # what is larger by a symbol is not known: only buffers whose tenants have the same size grow no further
        known = [b for b in free if isinstance(tensor.size, int) and any(isinstance(s, int) for s in b.sizes)]
        for choice in (same, known, free):
            if choice:
                choice[0].tensors.append(tensor)
                break
        else:
            buffers.append(Buffer([tensor]))
    return buffers


def _rank(size: Any) -> float:
    """Numbers by their size, ahead of them what only the caller knows."""
    return size if isinstance(size, int) else float("inf")


def _apart(a: Lifetime, b: Lifetime) -> bool:
    return a.end < b.begin or b.end < a.begin
