"""Arguments and results of a module as a flat list of leaves with names: nests, keys, fields, dataclasses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from converters.leaf_names import Path


@dataclasses.dataclass(frozen=True)
class Tree:
    """A nest taken apart.

    :param leaves: in torch's own order (``torch.utils._pytree``); None is one.
    :param paths: where each stands.
    :param rebuild: as many leaves → a nest of the same kinds.
    :param opened: it holds dataclasses that torch does not take apart itself.
    """

    leaves: tuple[Any, ...]
    paths: tuple[Path, ...]
    rebuild: Callable[[Sequence[Any]], Any]
    opened: bool


def flatten(nest: Any) -> Tree:
    """Take a nest apart, dataclasses too, which torch takes for leaves where they are not registered."""
    from torch.utils import _pytree as pytree

    pairs, treespec = pytree.tree_flatten_with_path(nest)
    parts = [_dataclass(leaf) for _, leaf in pairs]
    leaves: list[Any] = []
    paths: list[Path] = []
    for (keys, leaf), part in zip(pairs, parts, strict=True):
        path = tuple(map(_key, keys))
        leaves += part.leaves if part else (leaf,)
        paths += [(*path, *inner) for inner in part.paths] if part else [path]

    def rebuild(values: Sequence[Any]) -> Any:
        left = iter(values)
        filled = [part.rebuild([next(left) for _ in part.leaves]) if part else next(left) for part in parts]
        return pytree.tree_unflatten(filled, treespec)

    return Tree(tuple(leaves), tuple(paths), rebuild, any(part is not None for part in parts))


def _dataclass(leaf: Any) -> Tree | None:
    if not dataclasses.is_dataclass(leaf) or isinstance(leaf, type):
        return None
    names = [f.name for f in dataclasses.fields(leaf)]
    inner = flatten({name: getattr(leaf, name) for name in names})

    def rebuild(values: Sequence[Any]) -> Any:
        made = object.__new__(type(leaf))  # __init__ may want, or do, something else
        for name, value in {**vars(leaf), **inner.rebuild(values)}.items():
            object.__setattr__(made, name, value)
        return made

    return Tree(inner.leaves, inner.paths, rebuild, opened=True)


def _key(key: Any) -> str | int:
    """A key's own words: SequenceKey.idx, MappingKey.key, GetAttrKey.name."""
    if hasattr(key, "idx"):
        return int(key.idx)
    return str(getattr(key, "key", getattr(key, "name", key)))
