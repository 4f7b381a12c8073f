"""What changed between two runs of a zoo, and whether it got worse: ``python -m convert compare OLD NEW``."""

from __future__ import annotations

import math
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from convert.batch.limits import (
    QUIET_BYTES,
    QUIET_LATENCY,
    QUIET_MEMORY,
    QUIET_SECONDS,
    QUIET_SHARE,
    Limits,
    add_limits,
    limits_of,
)
from convert.batch.report import words
from convert.batch.row import Results, Row
from convert.errors import UsageError

#: Exit code of a comparison that found a regression; the stages of a conversion have 2 to 6.
REGRESSION = 7

#: "another reason": it was not converted before and is not now, but ended otherwise. "came", "went": it is only in one
#: of the runs, or was skipped in the other. "less compared": a reference or an output is not compared with any more.
Kind = Literal[
    "newly failing",
    "another reason",
    "error grown",
    "less compared",
    "slower",
    "larger",
    "newly passing",
    "came",
    "went",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Change:
    """One difference.

    :param name: the model's. :param what: of it: "status", an output with the comparison, a stage, a file.
    :param before: a number in ``unit``, or words.
    :param unit: "s", "B", "share" of the tolerance; empty for words.
    :param regression: did it get worse?
    """

    name: str
    kind: Kind
    what: str
    before: float | str
    after: float | str
    unit: str = ""
    regression: bool = False

    @property
    def shown(self) -> tuple[str, str]:
        """Before and after, for people."""
        return self._words(self.before), self._words(self.after)

    def _words(self, value: float | str) -> str:
        if isinstance(value, str):
            return value
        return {"s": words.seconds, "B": words.size, "share": words.share}[self.unit](value)


@dataclass(frozen=True)
class Changes:
    """All that changed, the worst first.

    :param compared: models that are in both runs. :param kept: those of them that the new run took from an earlier one;
        their times and memory are not compared.
    :param versions: what the numbers depend on, before and after, where it changed.
    """

    found: tuple[Change, ...]
    limits: Limits
    compared: int
    kept: int
    versions: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def regressions(self) -> tuple[Change, ...]:
        return tuple(c for c in self.found if c.regression)

    @property
    def counts(self) -> Mapping[Kind, int]:
        """Models (not changes) by kind."""
        models = Counter(kind for kind, _ in {(c.kind, c.name) for c in self.found})
        return {k: models[k] for k in KINDS if models[k]}

    @property
    def summary(self) -> str:
        """One line."""
        told = ", ".join(f"{n} {kind}" for kind, n in self.counts.items()) or "nothing changed"
        kept = f" ({self.kept} kept from an earlier run: their times are not compared)" if self.kept else ""
        return f"{self.compared} models compared{kept}: {told}"

    @property
    def by_model(self) -> Mapping[str, Sequence[Change]]:
        """Of models that changed."""
        found: dict[str, list[Change]] = {}
        for change in self.found:
            found.setdefault(change.name, []).append(change)
        return found

    def as_json(self) -> dict[str, Any]:
        from convert.report import finite

        told: dict[str, Any] = finite(asdict(self))
        return {**told, "counts": dict(self.counts), "regression": bool(self.regressions)}


def compare(old: Results, new: Results, limits: Limits | None = None) -> Changes:
    """Hold a run against an earlier one."""
    limits = limits or Limits()
    before, after = ({n: r for n, r in run.rows.items() if r.status != "skipped"} for run in (old, new))
    both = [(before[n], after[n]) for n in after if n in before]
    found = [c for pair in both for c in _between(*pair, limits)]
    found += [Change(n, "came", "status", _absent(n, old), _status(r)) for n, r in after.items() if n not in before]
    found += [
        Change(n, "went", "status", _status(r), _absent(n, new), regression=limits.complete)
        for n, r in before.items()
        if n not in after
    ]
    found.sort(key=lambda c: (not c.regression, KINDS.index(c.kind), c.name, c.what))
    return Changes(tuple(found), limits, len(both), sum(r.kept for _, r in both), _versions(old, new))


def used(error: Mapping[str, Any], tolerance: Mapping[str, Any] | None = None) -> float:
    """How much of its tolerance an error uses up: 1 / (atol / absolute + rtol / relative).

    The absolute error alone would be large wherever numbers are, and the relative one wherever they are near zero; no
    element's difference over ``atol + rtol |reference|`` is above this. It is 1 at most where no element was wrong, and
    at least where one was. Of integers, whose tolerance is zero, any error uses up all and more.

    :param error: one of :attr:`convert.batch.row.Row.errors`. :param tolerance: another than its own.
    """
    allowed = tolerance or error["tolerance"]
    absolute, relative = words.number(error["absolute"]), words.number(error["relative"])
    if error.get("problem") or math.isinf(absolute):
        return math.inf
    if absolute == 0:
        return 0.0
    inverse = allowed["atol"] / absolute + (allowed["rtol"] / relative if relative else 0.0)
    share = 1 / inverse if inverse else math.inf
    if allowed != error["tolerance"] or not (allowed["atol"] or allowed["rtol"]):
        return share
    return max(share, 1.0) if error["wrong"] else min(share, 1.0)


def _between(old: Row, new: Row, limits: Limits) -> Iterator[Change]:
    if old.status == new.status == "converted":
        yield from _grown(old, new, limits.error_factor)
        yield from _lost(old, new, limits)
        yield from _slower(old, new, limits.slower)
        yield from _larger(old, new, limits.larger)
    elif old.status == "converted":
        yield Change(new.name, "newly failing", "status", _status(old), _status(new), regression=True)
    elif new.status == "converted":
        yield Change(new.name, "newly passing", "status", _status(old), _status(new))
    elif (old.status, old.stage, old.cause) != (new.status, new.stage, new.cause):
        # a refusal says what is wrong, and any other end is worse than it
        worse = old.status == "refused" != new.status or (old.as_expected and not new.as_expected)
        yield Change(new.name, "another reason", "status", _status(old), _status(new), regression=worse)


def _grown(old: Row, new: Row, factor: float) -> Iterator[Change]:
    earlier = {(e["output"], e["edge"]): e for e in old.errors}
    for error in new.errors:
        place = (error["output"], error["edge"])
        if place in earlier:
            before, after = used(earlier[place], error["tolerance"]), used(error)
            if after > factor * max(before, QUIET_SHARE):
                yield Change(new.name, "error grown", f"{place[0]}, {place[1]}", before, after, "share", True)


def _lost(old: Row, new: Row, limits: Limits) -> Iterator[Change]:
    """A check that is silently left out would pass for ever."""
    now = {(e["output"], e["edge"]) for e in new.errors}
    lost = [f"{e['output']}, {e['edge']}" for e in old.errors if (e["output"], e["edge"]) not in now]
    if lost:
        yield Change(new.name, "less compared", "; ".join(lost), "compared", "not compared", regression=limits.complete)


def _slower(old: Row, new: Row, ratio: float) -> Iterator[Change]:
    if new.kept:  # these are the times of the run that it was kept from
        return
    before, after = _by_stage(old), _by_stage(new)
    for stage in after:
        if stage in before and _beyond(before[stage], after[stage], ratio, QUIET_SECONDS):
            yield Change(new.name, "slower", f"stage {stage}", before[stage], after[stage], "s", True)
    if not (old.latency.get("header") and new.latency.get("header")):
        return
    was, is_ = old.latency["header"], new.latency["header"]
    # on a slower machine onnxruntime is slower as well
    theirs = [run.latency.get("onnxruntime", 0.0) for run in (old, new)]
    fair = not all(theirs) or is_ / theirs[1] > ratio * was / theirs[0]
    if fair and _beyond(was, is_, ratio, QUIET_LATENCY):
        yield Change(new.name, "slower", "latency of the header", was, is_, "s", True)


def _larger(old: Row, new: Row, ratio: float) -> Iterator[Change]:
    for part in new.sizes:
        if part in old.sizes and _beyond(old.sizes[part], new.sizes[part], ratio, QUIET_BYTES):
            yield Change(new.name, "larger", part, old.sizes[part], new.sizes[part], "B", True)
    if not new.kept and old.peak_memory and _beyond(old.peak_memory, new.peak_memory, ratio, QUIET_MEMORY):
        yield Change(new.name, "larger", "peak memory", old.peak_memory, new.peak_memory, "B", True)


def _beyond(before: float, after: float, ratio: float, least: float) -> bool:
    return after > ratio * before and after - before > least


def _by_stage(row: Row) -> Mapping[str, float]:
    """A stage can run more than once."""
    total: Counter[str] = Counter()
    for stage in row.stages:
        if stage["state"] != "skipped":
            total[stage["name"]] += stage["seconds"]
    return total


def _status(row: Row) -> str:
    return f"{row.status}: {row.cause}" if row.cause else row.status


def _absent(name: str, run: Results) -> str:
    return "skipped" if name in run.rows else "not in the zoo"


def _versions(old: Results, new: Results) -> Mapping[str, tuple[str, str]]:
    before, after = versions(old.rows.values()), versions(new.rows.values())
    names = sorted({*before, *after})
    return {n: (before.get(n, "–"), after.get(n, "–")) for n in names if before.get(n) != after.get(n)}


def versions(rows: Iterable[Row]) -> Mapping[str, str]:
    """All that the rows were made with; more than one version of a thing where some rows were kept."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        for name, version in row.versions.items():
            found.setdefault(name, {})[str(version)] = None
    return {name: ", ".join(sorted(told)) for name, told in sorted(found.items())}


def main(arguments: Sequence[str], make: type[ArgumentParser] = ArgumentParser) -> int:
    """``python -m convert compare``: the exit code, 0 or :data:`REGRESSION`.

    :param make: the class of parser, which says how errors are told.

    :raises UsageError: of the arguments or the files. :raises WriteError: a report cannot be written.
    """
    import json

    from convert.batch.report.junit import junit
    from convert.batch.report.markdown import changes_as_markdown
    from convert.batch.report.terminal import show
    from convert.batch.report.write import write

    p = make(prog="python -m convert compare", description="What changed between two runs; 7 on a regression.")
    p.add_argument("old", type=Path, help="results.json of the earlier run")
    p.add_argument("new", type=Path, nargs="?", help="results.json of the later run")
    p.add_argument(
        "--against",
        choices=("onnxruntime",),
        help="instead of a later run: run the headers that --keep kept again, against what is installed now",
    )
    add_limits(p)
    p.add_argument("--json", type=Path, metavar="FILE", help="write the changes for programs")
    p.add_argument("--markdown", type=Path, metavar="FILE", help="write them for a pull request or job summary")
    p.add_argument("--junit", type=Path, metavar="FILE", help="write them as JUnit XML: a regression is a failure")
    given = p.parse_args(arguments)
    if (given.new is None) == (given.against is None):
        raise UsageError(
            "two runs are compared, or one --against onnxruntime", advice="python -m convert compare --help"
        )
    new = _rerun(given.old) if given.against else Results.read(given.new)
    changes = compare(Results.read(given.old), new, limits_of(given))
    if given.json:
        write(given.json, json.dumps(changes.as_json(), indent=2) + "\n")
    if given.markdown:
        write(given.markdown, changes_as_markdown(changes))
    if given.junit:
        write(given.junit, junit(new, changes, only_changes=True))
    show(changes, sys.stdout)
    return REGRESSION if changes.regressions else 0


def _rerun(path: Path) -> Results:
    from convert.batch.rerun import rerun

    def tell(row: Row) -> None:
        sys.stderr.write(f"{row.name}: {row.status}\n")

    return rerun(path, tell)
