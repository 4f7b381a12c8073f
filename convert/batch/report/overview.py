"""What a whole run comes to: counts, what failed by its cause, what is not as expected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convert.batch.compare import versions
from convert.batch.report import words
from convert.batch.row import STATUSES, Results, Row, Status

#: What to do where the error itself gives no advice, or where a process ended: what its error says is then by chance.
_ADVICE: Mapping[Status, str] = {
    "refused": "convert it alone with --check, which tells what becomes of each operator",
    "failed": "convert it alone with --verbose --debug, to see all that was said in that stage",
    "wrong": "convert it alone with --paranoid, which names the rule that moves the numbers",
    "crashed": "convert it alone with --verbose --debug, to see its last words",
    "timed out": "give it more time, or a fixed --batch, which makes simpler graphs",
    "out of memory": "give it more memory, or run fewer jobs at a time",
}
_UNREAD = "run it in its own framework first: it did not come to a conversion"
#: Ends that no stage of ours decided on.
ENDED: tuple[Status, ...] = ("crashed", "timed out", "out of memory")


@dataclass(frozen=True)
class Count:
    """Models of one status, and how many of them are as expected."""

    status: Status
    models: int
    expected: int


@dataclass(frozen=True)
class Group:
    """Models that ended of one cause.

    :param advice: the nearest way out. :param example: an error among them, in one line.
    """

    status: Status
    cause: str
    models: tuple[str, ...]
    unexpected: int
    advice: str
    example: str


@dataclass(frozen=True)
class Overview:
    """:param seconds: summed over models that this run converted itself."""

    models: int
    unexpected: tuple[Row, ...]
    counts: tuple[Count, ...]
    groups: tuple[Group, ...]
    seconds: float
    kept: int
    versions: Mapping[str, str]


def overview(results: Results) -> Overview:
    rows = list(results.rows.values())
    count = Counter(r.status for r in rows)
    expected = Counter(r.status for r in rows if r.as_expected)
    return Overview(
        len(rows),
        tuple(r for r in rows if not r.as_expected),
        tuple(Count(s, count[s], expected[s]) for s in STATUSES if count[s]),
        tuple(_groups(rows)),
        sum(r.seconds for r in rows if not r.kept),
        sum(r.kept for r in rows),
        versions(rows),
    )


def advice_of(row: Row) -> Sequence[str]:
    """All that its error advises, the error's own first."""
    told = row.error or {}
    given = [told.get("advice"), *(f.get("advice") for f in told.get("findings", ()))]
    return [words.line(str(a)) for a in given if a]


def told(error: Mapping[str, Any] | None) -> str:
    """An error, or one of its findings, in one line."""
    if not error:
        return ""
    place, why = error.get("where"), error.get("why")
    line = f"{error.get('what', '')}{f', at {place}' if place else ''}{f', because {why}' if why else ''}"
    return words.line(line)


def _groups(rows: Iterable[Row]) -> list[Group]:
    """What is unexpected first, then the largest."""
    ended: dict[tuple[Status, str], list[Row]] = {}
    for row in rows:
        if row.status not in ("converted", "skipped"):
            ended.setdefault((row.status, row.cause), []).append(row)
    groups = []
    for (status, cause), same in ended.items():
        unexpected = sum(not r.as_expected for r in same)
        names = tuple(r.name for r in same)
        groups.append(Group(status, cause, names, unexpected, _way_out(same), told(same[0].error)))
    return sorted(groups, key=lambda g: (-g.unexpected, -len(g.models), g.cause))


def _way_out(same: Sequence[Row]) -> str:
    """What most of the errors advise."""
    status, stage = same[0].status, same[0].stage
    advice = Counter(a for r in same for a in dict.fromkeys(advice_of(r))).most_common(1)
    if advice and status not in ENDED:
        return advice[0][0]
    return _UNREAD if stage == "load" and status in ("refused", "failed") else _ADVICE.get(status, "")
