"""What SOFIE said of a node before, kept on disk by SOFIE's build."""

from __future__ import annotations

from functools import cache
from typing import Protocol

from sofie_bridge.cache import folder


class Store(Protocol):
    """Text by key, shared between processes."""

    def get(self, key: str) -> str | None: ...
    def set(self, key: str, value: str) -> bool: ...


@cache
def verdicts() -> Store:
    """The verdicts of this machine's user; at most 256 MB, oldest dropped first."""
    import diskcache

    store: Store = diskcache.Cache(str(folder("verdicts")), size_limit=256 << 20)
    return store
