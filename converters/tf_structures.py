"""Nested lists, tuples and dicts of tensors, as Keras and TensorFlow take and give them, flat and with names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def named_leaves(value: Any, name: str) -> list[tuple[str, Any]]:
    """The leaves with names, in TensorFlow's order (dicts by their sorted keys); None is no leaf.

    The keys of the outermost dict are names by themselves; deeper keys and places in lists are appended to ``name``.

    >>> named_leaves({"b": 1, "a": [2, 3]}, "x")
    [('a_0', 2), ('a_1', 3), ('b', 1)]
    >>> named_leaves((1, None, 2), "x")
    [('x_0', 1), ('x_2', 2)]
    """
    keys = _keys(value)
    if keys is None:
        return list(_leaves(value, name))
    return [leaf for key, inner in keys for leaf in _leaves(inner, key)]


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    keys = _keys(value)
    if keys is None and isinstance(value, (list, tuple)):
        keys = [(str(k), inner) for k, inner in enumerate(value)]
    if keys is not None:
        for key, inner in keys:
            yield from _leaves(inner, f"{name}_{key}")
    elif value is not None:
        yield name, value


def _keys(value: Any) -> list[tuple[str, Any]] | None:
    """Of a dict or a named tuple."""
    if isinstance(value, Mapping):
        return [(str(key), value[key]) for key in sorted(value)]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(zip(value._fields, value, strict=True))
    return None


def pack(structure: Any, tensors: Sequence[Any]) -> Any:
    """The structure with these tensors in the places of its leaves."""
    import tensorflow as tf

    given = iter(tensors)
    return tf.nest.map_structure(lambda leaf: None if leaf is None else next(given), structure)


def distinct(names: Sequence[str], taken: Sequence[str] = ()) -> tuple[str, ...]:
    """The names, with ``_1``, ``_2`` at those that were there before.

    >>> distinct(["a", "a", "b"], taken=["b"])
    ('a', 'a_1', 'b_1')
    """
    seen = set(taken)
    found = []
    for name in names:
        free, count = name, 0
        while free in seen:
            count += 1
            free = f"{name}_{count}"
        seen.add(free)
        found.append(free)
    return tuple(found)


def named_outputs(names: Sequence[str], tensors: Sequence[Any], taken: Sequence[str]) -> dict[str, Any]:
    """What a model gives, as tensors by name; an input that is an output as well gets another name there.

    :raises ValueError: no tensor at all.
    """
    import tensorflow as tf

    if not tensors:
        raise ValueError("the model gives no tensor")
    free = distinct([f"{n}_output" if n in taken else n for n in names], taken)
    return {n: tf.convert_to_tensor(t) for n, t in zip(free, tensors, strict=True)}
