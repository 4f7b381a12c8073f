"""Which columns feed which input: worked out from the shapes, or refused where shapes do not tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from convert.errors import Finding, UsageError
from convert.spec import TensorSpec
from sofie_bridge.columns import CPP, Column, Feed, Layout
from sofie_bridge.interface import Interface

#: An input with more elements than this is fed from one jagged column, where nobody says otherwise.
SCALARS = 64

_MASK = re.compile(r"(^|_)mask($|_|\d)")
_ADVICE = "give columns as a dict: {input: [its columns]}"


@dataclass(frozen=True)
class Wishes:
    """What shapes alone do not say.

    :param masks: inputs made here, and whether a filled place is True (1) or False (0) in them; by default those with
        ``mask`` in their names, filled places 1. One that is named for padding has to be listed.
    :param padded: inputs of one jagged column that is padded or cut, and not taken to be exactly as long as the input.
    :param axes: the long axis of an input, where two would do.
    :param at_least: see :class:`sofie_bridge.columns.Layout`.
    """

    masks: Mapping[str, bool] = field(default_factory=dict)
    padded: Sequence[str] = ()
    axes: Mapping[str, int] = field(default_factory=dict)
    at_least: int = 1


def lay_out(
    interface: Interface, columns: Sequence[Column] | Mapping[str, Sequence[Column]], wishes: Wishes | None = None
) -> Layout:
    """Feed every input.

    :param columns: all, in the order of the inputs, or those of each input by its name.
    :raises UsageError: what does not fit, all of it.
    """
    wishes = wishes or Wishes()
    known = [spec.name for spec in interface.inputs]
    given = columns if isinstance(columns, Mapping) else None
    wanted = {n for where in (given or (), wishes.masks, wishes.padded, wishes.axes) for n in where}
    wrong = [
        Finding(f"{n} is no input of the model", why=f"it has {', '.join(known)}") for n in sorted(wanted - set(known))
    ]
    masks = _masks(interface, wishes, given or {})
    fed = [spec for spec in interface.inputs if spec.name not in masks]
    split = (
        given
        if given is not None
        else _split(fed, [c for c in columns if isinstance(c, Column)], _along(interface, masks), wrong)
    )
    found = [_feed(s, tuple(split.get(s.name, ())), wishes) for s in fed] if split is not None else []
    feeds = [f for f in found if isinstance(f, Feed)]
    if len(feeds) == len(fed):
        made = [s for s in interface.inputs if s.name in masks]
        found += [_mask(s, feeds, int(masks[s.name]), only=len({t.shape for t in made}) == len(made)) for s in made]
    wrong += [f for f in found if isinstance(f, Finding)]
    if wrong:
        raise UsageError(f"the columns do not fit {interface.names.name}", findings=tuple(wrong), advice=_ADVICE)
    by_name = {f.tensor.name: f for f in found if isinstance(f, Feed)}
    return replace(_settle(interface, [by_name[n] for n in known]), at_least=wishes.at_least)


def default(interface: Interface) -> Layout:
    """For columns that nobody has named yet: what the shapes suggest.

    :raises UsageError: the inputs that no columns feed.
    """
    masks = _masks(interface, Wishes(), {})
    long = _along(interface, masks)
    named = {
        spec.name: [
            Column(name, f"ROOT::VecOps::RVec<{CPP[spec.dtype]}>" if jagged else CPP[spec.dtype], spec.dtype, jagged)
            for name, jagged in _names(spec, long)
        ]
        for spec in interface.inputs
        if spec.name not in masks
    }
    padded = [s.name for s in interface.inputs if s.name in named and _is_row(s, long)]
    return lay_out(interface, named, Wishes(padded=padded))


def _event(spec: TensorSpec) -> tuple[int | str | None, ...]:
    """The sizes of one event, without the axis that counts events."""
    return spec.shape[1:] if spec.shape[:1] == (1,) or (spec.shape and isinstance(spec.shape[0], str)) else spec.shape


def _along(interface: Interface, masks: Mapping[str, bool]) -> set[int | str | None]:
    """The sizes that lists run along, as masks tell."""
    return {d for spec in interface.inputs if spec.name in masks for d in _event(spec) if d != 1}


def _is_row(spec: TensorSpec, long: set[int | str | None]) -> bool:
    sizes = [d for d in _event(spec) if d != 1]
    return len(sizes) == 1 and sizes[0] in long


def _names(spec: TensorSpec, long: set[int | str | None]) -> list[tuple[str, bool]]:
    """Column names for an input, and whether they are jagged."""
    sizes = [d for d in _event(spec) if d != 1]
    rows = [d for d in sizes if isinstance(d, str) or d in long]
    count = prod(d for d in sizes if isinstance(d, int) and d not in long)
    if len(rows) == 1 and len(sizes) <= 2 and count <= SCALARS:
        return [(f"{spec.name}_{k}" if count > 1 else spec.name, True) for k in range(count)]
    if not rows and count <= SCALARS and len(sizes) <= 1:
        return [(f"{spec.name}_{k}" if count > 1 else spec.name, False) for k in range(count)]
    return [(spec.name, True)]


def _masks(interface: Interface, wishes: Wishes, given: Mapping[str, Sequence[Column]]) -> dict[str, bool]:
    """The inputs to be made, and what a filled place is in them. Some frameworks mark padding: that is not guessed."""
    named = {
        s.name: True
        for s in interface.inputs
        if _MASK.search(s.name.lower()) and "pad" not in s.name.lower() and len(interface.inputs) > 1
    }
    return {n: real for n, real in {**named, **wishes.masks}.items() if n not in given}


def _split(
    fed: Sequence[TensorSpec], columns: Sequence[Column], long: set[int | str | None], wrong: list[Finding]
) -> dict[str, Sequence[Column]] | None:
    """A plain list of columns, dealt out to the inputs in their order."""
    if len(fed) == 1:
        return {fed[0].name: columns}
    counts = [prod(d for d in _event(s) if isinstance(d, int) and d not in long) for s in fed]
    if len(columns) == len(fed):
        counts = [1] * len(fed)
    if sum(counts) != len(columns):
        rows = ", ".join(f"{n} for {s}" for n, s in zip(counts, fed, strict=True))
        wrong.append(Finding(f"{len(columns)} columns for {len(fed)} inputs", why=f"as the shapes go: {rows}"))
        return None
    dealt: dict[str, Sequence[Column]] = {}
    rest = list(columns)
    for spec, count in zip(fed, counts, strict=True):
        dealt[spec.name], rest = rest[:count], rest[count:]
    return dealt


def _feed(spec: TensorSpec, columns: tuple[Column, ...], wishes: Wishes) -> Feed | Finding:
    what = f"{len(columns)} columns for {spec}"
    if not columns:
        return Finding(f"there are no columns for {spec}", advice="is it a mask? then name it in masks={name: True}")
    lossy = [c for c in columns if c.dtype.startswith("float") and not spec.dtype.startswith("float")]
    if lossy:
        return Finding(f"{spec} takes whole numbers", why=", ".join(f"{c.name} is {c.type}" for c in lossy))
    if len({c.jagged for c in columns}) > 1:
        shown = ", ".join(f"{c.name} is {c.type}" for c in columns)
        return Finding(f"{what} mix lists and single numbers", why=shown, advice="give all as the one or the other")
    if not columns[0].jagged:
        return _scalars(spec, columns)
    if len(columns) == 1 and spec.name not in wishes.padded and spec.name not in wishes.axes:
        return _values(spec, columns)
    return _rows(spec, columns, wishes.axes.get(spec.name))


def _scalars(spec: TensorSpec, columns: tuple[Column, ...]) -> Feed | Finding:
    sizes = _event(spec)
    if any(isinstance(d, str) for d in sizes):
        return Finding(f"{spec} takes lists", why=f"{columns[0].name} holds one number an event")
    count = prod(d for d in sizes if isinstance(d, int))
    if count != len(columns):
        return Finding(f"{len(columns)} columns of one number for {spec}", why=f"an event has {count} there")
    return Feed(spec, "scalars", columns)


def _values(spec: TensorSpec, columns: tuple[Column, ...]) -> Feed | Finding:
    """One jagged column: all elements of the event, or the rows' only one where an axis is open."""
    sizes = _event(spec)
    first = len(spec.shape) - len(sizes)
    axes = [a for a, d in enumerate(sizes, first) if isinstance(d, str)]
    if not axes and prod(d for d in sizes if isinstance(d, int)) == 1 and isinstance(spec.shape[0], str):
        axes = [0]  # x[N,1]: a call for each entry of the column
    if len(axes) > 1:
        return Finding(f"one list does not tell the open sizes of {spec}", why=f"it has {len(axes)}")
    if not axes:
        return Feed(spec, "values", columns)
    rest = prod(d for a, d in enumerate(spec.shape) if isinstance(d, int) and a != axes[0])
    return Feed(spec, "rows" if rest == 1 else "values", columns, long=axes[0])


def _rows(spec: TensorSpec, columns: tuple[Column, ...], axis: int | None) -> Feed | Finding:
    """Jagged columns, one for each step of an axis as long as there are columns; they run along another axis."""
    found = [(f, a) for f, a in _placings(spec, len(columns)) if axis is None or a == axis]
    if len(found) == 1:
        return Feed(spec, "rows", columns, feature=found[0][0], long=found[0][1])
    what = f"{len(columns)} columns of lists for {spec}"
    if found:
        way = ", or ".join(f"axis {f} with entries along axis {a}" for f, a in found)
        return Finding(f"{what} fit in more than one way", why=way, advice=f"say axes={{{spec.name!r}: 2}}")
    return Finding(what, why="no axis of that size has just one other beside it for the lists' entries")


def _placings(spec: TensorSpec, count: int) -> Iterator[tuple[int | None, int]]:
    """(axis of the columns, axis of their entries) that the shape allows."""
    features: list[int | None] = [a for a, d in enumerate(spec.shape) if d == count]
    for feature in [None] if count == 1 else features:
        long = [a for a, d in enumerate(spec.shape) if a != feature and (isinstance(d, str) or (d or 0) > 1)]
        if len(long) > 1 and isinstance(spec.shape[0], str):
            long.remove(0)  # events
        if len(long) == 1 and (feature != 0 or isinstance(spec.shape[0], int)):
            yield feature, long[0]


def _mask(spec: TensorSpec, feeds: Sequence[Feed], real: int, *, only: bool) -> Feed | Finding:
    """A mask stands for the lists along the same axis; of several masks on it each for those of its own name."""
    rows = [f for f in feeds if f.way == "rows"]
    axes = [a for a, d in enumerate(spec.shape) if d in {f.length for f in rows}]
    others = [d for a, d in enumerate(spec.shape) if a not in axes and d != 1 and not (a == 0 and isinstance(d, str))]
    if len(axes) != 1 or others:
        shown = ", ".join(str(f.length) for f in rows) or "there are none"
        return Finding(f"{spec} cannot be made", why=f"a mask runs along one axis of lists; their sizes: {shown}")
    along = [f.tensor.name for f in rows if f.length == spec.shape[axes[0]]]
    stem = _MASK.sub("", spec.name.lower())
    of = along if only else [n for n in along if stem and n.lower().startswith(stem)]
    if not of:
        why = f"lists of the same size are {', '.join(along)}, and there is another mask"
        return Finding(f"it cannot be told which input {spec} stands for", why=why, advice="give it a column")
    return Feed(spec, "mask", long=axes[0], real=real, of=tuple(of))


def _settle(interface: Interface, feeds: Sequence[Feed]) -> Layout:
    """Which symbol counts events, and does every symbol follow from the columns?

    :raises UsageError: all that do not.
    """
    counted = {f.tensor.shape[0]: f.tensor for f in feeds if f.tensor.shape and f.long != 0}
    batches = [d for d in counted if isinstance(d, str)]
    lengths = [f.length for f in feeds if f.length is not None]
    wrong = [
        Finding(f"{d} counts both events and the entries of a list", where=str(counted[d]), advice=_ADVICE)
        for d in batches
        if d in lengths
    ]
    if len(batches) > 1:
        wrong.append(Finding("two open dimensions count events", why=", ".join(batches), advice=_ADVICE))
    wrong += [
        Finding(f"no column tells the size {s}", why="it is no axis that a list runs along")
        for s in interface.symbols
        if s not in batches and s not in lengths
    ]
    if wrong:
        raise UsageError(f"the columns do not fit {interface.names.name}", findings=tuple(wrong))
    return Layout(interface, tuple(feeds), batches[0] if batches else None)
