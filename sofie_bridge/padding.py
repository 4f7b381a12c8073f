"""Columns of events as a model's inputs, in numpy: padded, cut and masked as a layout says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from convert.errors import BadSamples, Finding
from sofie_bridge.columns import Feed, Layout
from sofie_bridge.library import Array


@dataclass(frozen=True)
class Lists:
    """A list of numbers for each event. :param content: all behind one another. :param counts: of each event."""

    content: Array
    counts: Array

    @property
    def starts(self) -> Array:
        return np.concatenate([[0], np.cumsum(self.counts)[:-1]]).astype(np.int64) if len(self.counts) else self.counts


#: By column: a number for each event, or lists.
Table = Mapping[str, Array | Lists]


def counts(layout: Layout, table: Table) -> dict[str, Array]:
    """By input: how long each event's lists are.

    :raises BadSamples: lists of one event that have to be equally long and are not; all such columns, and which event.
    """
    found: dict[str, Array] = {}
    wrong: list[Finding] = []
    for feed in layout.feeds:
        lists = {c.name: _lists(table, c.name).counts for c in feed.columns if c.jagged}
        for name, one in lists.items():
            first = found.setdefault(feed.tensor.name, one)
            wrong += _differing(first, one, feed.columns[0].name, name)
    for feed in layout.feeds:
        others = [f.tensor.name for f in layout.open.get(str(feed.length), ()) if feed.way != "mask"] or list(feed.of)
        for other in others[1:]:
            wrong += _differing(found[others[0]], found[other], others[0], other)
        if feed.way == "values":
            wrong += _odd(feed, found[feed.tensor.name])
    if wrong:
        raise BadSamples("the lists do not fit the model", findings=tuple(dict.fromkeys(wrong)))
    return found


def _differing(one: Array, other: Array, first: str, second: str) -> Iterator[Finding]:
    unequal = np.flatnonzero(one != other)
    if len(unequal):
        k = int(unequal[0])
        yield Finding(f"{first} and {second} differ in length", f"event {k}", f"{one[k]} and {other[k]}")


def _odd(feed: Feed, lengths: Array) -> Iterator[Finding]:
    unequal = np.flatnonzero(lengths % feed.rest if feed.long is not None else lengths != feed.rest)
    if len(unequal):
        k = int(unequal[0])
        want = f"no multiple of {feed.rest}" if feed.long is not None else f"not {feed.rest}"
        yield Finding(f"{feed.columns[0].name} has {lengths[k]} values, {want}", f"event {k}")


def sizes(layout: Layout, lengths: Mapping[str, Array], count: int) -> Array:
    """The open sizes of each event, ``[events, open axes]``, padded where there is a mask."""
    made = np.zeros((count, len(layout.open)), np.int64)
    for k, (symbol, feeds) in enumerate(layout.open.items()):
        size = lengths[feeds[0].tensor.name] // (feeds[0].rest if feeds[0].way == "values" else 1)
        made[:, k] = np.maximum(size, layout.least(symbol)) if symbol in layout.masked else size
    return made


def pack(layout: Layout, table: Table, lengths: Mapping[str, Array], events: Array, size: Array) -> dict[str, Array]:
    """Inputs for these events, by name; with an open batch all of them together.

    :param events: indices; only one where the model has no open batch. :param size: their open sizes.
    """
    known: dict[int | str | None, int] = dict(zip(layout.open, map(int, size), strict=True))
    if layout.batch is not None:
        known[layout.batch] = len(events)
    inputs = {}
    for feed in layout.feeds:
        shape = [d if isinstance(d, int) else known[d] for d in feed.tensor.shape]
        long = 1 if feed.long is None else shape[feed.long]
        inputs[feed.tensor.name] = _filled(feed, table, lengths, events, long).reshape(shape)
    return inputs


def _filled(feed: Feed, table: Table, lengths: Mapping[str, Array], events: Array, long: int) -> Array:
    """[events, elements], in the order of the input."""
    dtype = np.dtype(feed.tensor.dtype)
    if feed.way == "scalars":
        return np.stack([np.asarray(table[c.name])[events].astype(dtype) for c in feed.columns], axis=1)
    if feed.way == "mask":
        real = np.arange(long) < lengths[feed.of[0]][events][:, None]
        return np.where(real, feed.real, 1 - feed.real).astype(dtype)
    width = long * feed.rest if feed.way == "values" else long
    rows = np.stack([_padded(_lists(table, c.name), events, width, dtype) for c in feed.columns], axis=1)
    return np.ascontiguousarray(rows.transpose(0, 2, 1) if feed.interleaved else rows)


def _padded(lists: Lists, events: Array, width: int, dtype: np.dtype[np.generic]) -> Array:
    made = np.zeros((len(events), width), dtype)
    places = np.arange(width)
    real = places < lists.counts[events][:, None]
    made[real] = lists.content[(lists.starts[events][:, None] + places)[real]]
    return made


def _lists(table: Table, name: str) -> Lists:
    found = table[name]
    assert isinstance(found, Lists), f"{name} was laid out as jagged"
    return found
