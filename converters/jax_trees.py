"""Nests of arrays, as JAX takes them apart: parameters, arguments and results, with the place of each leaf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Where a leaf stands: keys and field names are strings, places in a sequence are numbers.
Path = tuple[str | int, ...]


def leaves_of(nest: Any) -> list[tuple[Path, Any]]:
    """The leaves in JAX's own order, each with its path; None is no leaf."""
    import jax

    pairs, _ = jax.tree_util.tree_flatten_with_path(nest)
    return [(path_of(keys), leaf) for keys, leaf in pairs]


def path_of(keys: Sequence[Any]) -> Path:
    """A key's own words: ``DictKey.key``, ``SequenceKey.idx``, ``GetAttrKey.name``."""
    return tuple(map(_word, keys))


def _word(key: Any) -> str | int:
    word = next(getattr(key, field) for field in ("key", "idx", "name") if hasattr(key, field))
    return word if isinstance(word, int) and not isinstance(word, bool) else str(word)


def text(path: Path) -> str:
    """The path as a file of parameters names it: ``params/Dense_0/kernel``."""
    return "/".join(map(str, path))
