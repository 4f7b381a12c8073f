"""Headers on tables of events, without ROOT: numpy arrays, awkward arrays, what uproot reads.

>>> import sofie_bridge.arrays
>>> tagger = sofie_bridge.arrays.load("tagger.hxx", columns=["pt", "eta", "phi"])  # doctest: +SKIP
>>> scores = tagger(events)["score"]  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convert.errors import BadSamples, Finding, UsageError
from convert.spec import TensorSpec
from sofie_bridge import blas
from sofie_bridge.columns import CPP, Column, Layout
from sofie_bridge.header import Header, build
from sofie_bridge.interface import Interface
from sofie_bridge.layout import Wishes, lay_out
from sofie_bridge.library import Array
from sofie_bridge.padding import Lists, Table, counts, pack, sizes

#: Events that run together: enough for the BLAS, and few enough for the caches.
BLOCK = 1024


class Events:
    """A header as a function of tables of events; see :func:`load`. ``with`` frees it."""

    def __init__(
        self,
        header: Header,
        interface: Interface,
        columns: Sequence[str] | Mapping[str, Sequence[str]],
        wishes: Wishes,
        empty: float | None,
    ) -> None:
        self._header = header
        self._interface = interface
        self._columns = columns
        self._wishes = wishes
        self._empty = empty

    def __call__(self, events: Any) -> dict[str, Any]:
        """The answers for all events.

        :param events: anything with columns by name: a dict, awkward records, a structured array, a DataFrame of
            pandas. A column is an array of numbers, or an awkward array or a sequence of arrays with a list an event.
        :returns: by output: ``[events]`` where an event gives one number, ``[events, ...]`` where it is always as
            many; else a list for each event, as awkward array where the events came as one.
        :raises UsageError: columns that are missing or no numbers, all of them.
        :raises BadSamples: lists that do not fit together, or are empty where the model cannot take that.
        """
        table, columns, from_awkward = _read(events, self._columns)
        layout = lay_out(self._interface, columns, self._wishes)
        answers = _answers(layout, self._header, table, self._empty)
        return {
            o.name: _joined(a, layout, o, awkward=from_awkward)
            for o, a in zip(self._interface.outputs, answers, strict=True)
        }

    def close(self) -> None:
        """Free the session."""
        self._header.close()

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load(
    header: str | Path,
    columns: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    weights: str | Path | None = None,
    masks: Mapping[str, bool] | None = None,
    padded: Sequence[str] = (),
    axes: Mapping[str, int] | None = None,
    at_least: int = 1,
    empty: float | None = None,
) -> Events:
    """Compile a header, for tables of events. The arguments are those of :func:`sofie_bridge.rdf.define`.

    The BLAS is told to use one thread from here on: for blocks of events more are slower.

    :raises VerifyError: the header does not compile, or has no session.
    """
    built = build(header, weights)
    blas.one_thread()
    wishes = Wishes(masks or {}, padded, axes or {}, at_least)
    return Events(Header(built), Interface.of(built, header), columns, wishes, empty)


def call(header: str | Path, events: Any, columns: Sequence[str] | Mapping[str, Sequence[str]], **wishes: Any) -> Any:
    """:func:`load` and one call. The answer, or where the model has several outputs a dict of them."""
    with load(header, columns, **wishes) as loaded:
        found = loaded(events)
    return next(iter(found.values())) if len(found) == 1 else found


def _read(
    events: Any, given: Sequence[str] | Mapping[str, Sequence[str]]
) -> tuple[Table, Sequence[Column] | Mapping[str, Sequence[Column]], bool]:
    """The columns asked for. :raises UsageError: all that are missing, are no numbers, or differ in length."""
    by_input = given if isinstance(given, Mapping) else {"": given}
    names = list(dict.fromkeys(n for several in by_input.values() for n in several))
    wrong: list[Finding] = []
    table: dict[str, Array | Lists] = {}
    awkward = False
    for name in names:
        try:
            values = events[name]
        except (KeyError, ValueError, IndexError) as error:
            wrong.append(Finding(f"there is no column {name}", why=str(error).splitlines()[0]))
            continue
        awkward |= _is_awkward(values)
        found = _column(name, values)
        if isinstance(found, Finding):
            wrong.append(found)
        else:
            table[name] = found
    lengths = {n: len(v.counts if isinstance(v, Lists) else v) for n, v in table.items()}
    if len(set(lengths.values())) > 1:
        wrong.append(Finding("the columns have different numbers of events", why=str(lengths)))
    if wrong:
        raise UsageError("the events have not these columns", findings=tuple(wrong))
    made = {n: _typed(n, v) for n, v in table.items()}
    columns = {i: [made[n] for n in several] for i, several in by_input.items()}
    return table, columns if isinstance(given, Mapping) else columns[""], awkward


def _is_awkward(values: Any) -> bool:
    """Asked without importing awkward."""
    return type(values).__module__.split(".")[0] == "awkward"


def _column(name: str, values: Any) -> Array | Lists | Finding:
    if _is_awkward(values):
        import awkward as ak

        if values.ndim == 1:
            values = ak.to_numpy(values)
        elif values.ndim == 2:
            values = Lists(ak.to_numpy(ak.flatten(values)), ak.to_numpy(ak.num(values)))
        else:
            return Finding(f"column {name} has {values.ndim} axes", why="a list of numbers an event is the most")
    elif not (isinstance(values, np.ndarray) and values.dtype != object):
        values = _of_sequence(list(values))
    elif values.ndim == 2:
        values = Lists(values.ravel(), np.full(len(values), values.shape[1]))
    content = values.content if isinstance(values, Lists) else values
    if isinstance(content, np.ma.MaskedArray):
        return Finding(f"column {name} has gaps", why="None in it", advice="awkward.fill_none")
    if content.ndim != 1 or str(content.dtype) not in (*CPP, "bool"):
        return Finding(
            f"column {name} is {content.dtype}, {content.ndim} axes", why="neither numbers nor lists of them"
        )
    return values  # type: ignore[no-any-return]


def _of_sequence(values: list[Any]) -> Array | Lists:
    if all(np.ndim(v) == 0 for v in values):
        return np.asarray(values)
    rows = [np.asarray(v) for v in values]
    return Lists(
        np.concatenate(rows) if rows else np.empty(0, np.float32), np.array([len(np.atleast_1d(r)) for r in rows])
    )


def _typed(name: str, values: Array | Lists) -> Column:
    jagged = isinstance(values, Lists)
    dtype = str(values.content.dtype if isinstance(values, Lists) else values.dtype)
    return Column(name, f"list of {dtype}" if jagged else dtype, dtype, jagged)


def _answers(layout: Layout, header: Header, table: Table, empty: float | None) -> list[Array | list[Array]]:
    """For each output the answers: ``[events, numbers]``, or where their number is open a list of flat arrays."""
    first = next(iter(table.values()))
    count = len(first.counts if isinstance(first, Lists) else first)
    lengths = counts(layout, table)
    size = sizes(layout, lengths, count)
    answers = [_room(layout, o, count) for o in layout.interface.outputs]
    for events in _groups(layout, size):
        if any(
            n < layout.least(s) for n, s in zip(size[events[0]], layout.open, strict=True) if s not in layout.masked
        ):
            nothing = [_nothing(layout, o, empty, events[0]) for o in layout.interface.outputs]
            parts = [np.broadcast_to(n, (len(events), len(n))) for n in nothing]
        else:
            found = header(**pack(layout, table, lengths, events, size[events[0]]))
            parts = [a.reshape(len(events), -1) for a in found.values()]
        for kept, part in zip(answers, parts, strict=True):
            if isinstance(kept, list):
                for event, answer in zip(events, part, strict=True):
                    kept[event] = answer
            else:
                kept[events] = part
    return answers


def _room(layout: Layout, output: TensorSpec, count: int) -> Array | list[Array]:
    elements = layout.elements(output)
    return [np.empty(0)] * count if elements is None else np.empty((count, elements), output.dtype)


def _groups(layout: Layout, size: Array) -> Iterator[Array]:
    """Events that run together: of equal sizes, and as many as fit."""
    block = BLOCK if layout.batched else 1
    if not len(size):
        return
    _, which = np.unique(size, axis=0, return_inverse=True) if size.shape[1] else (None, np.zeros(len(size), np.int64))
    order = np.argsort(which, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(which[order])) + 1):
        yield from np.split(group, range(block, len(group), block))


def _nothing(layout: Layout, output: TensorSpec, empty: float | None, event: int) -> Array:
    """What an event with empty lists gives; see the functor's ``nothing``."""
    if layout.vanishes(output):
        return np.empty(0, output.dtype)
    elements = layout.elements(output)
    if empty is None or elements is None:
        raise BadSamples(
            "an event has empty lists, or too short ones, and the model is not run on those",
            where=f"event {event}",
            advice="leave such events out, or say what they are to give: empty=float('nan')",
        )
    return np.full(elements, empty, output.dtype)


def _joined(answers: Array | list[Array], layout: Layout, output: TensorSpec, *, awkward: bool) -> Any:
    if not isinstance(answers, list):
        rest = [d for d in layout.event(output) if isinstance(d, int)] if answers.shape[1] != 1 else []
        return answers.reshape(len(answers), *rest)
    if not awkward:
        return answers
    import awkward as ak

    content = np.concatenate(answers) if answers else np.empty(0, output.dtype)
    return ak.unflatten(content, np.array([len(a) for a in answers], np.int64))
