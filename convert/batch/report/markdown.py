"""Results and changes as GitHub's Markdown, for a pull request's comment or a job's summary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from convert.batch.compare import Change, Changes
from convert.batch.report import words
from convert.batch.report.overview import Overview, overview, told
from convert.batch.row import Results, Row

#: Rows of each table: a comment holds 65,536 characters.
MOST = 30
#: Characters of each cell.
_LONG = 160


def as_markdown(results: Results, changes: Changes | None = None) -> str:
    """Counts, what is not as expected, its causes; and what changed, if an earlier run is given."""
    seen = overview(results)
    parts = [f"## Conversion: {_headline(seen)}", _counts(seen)]
    if changes is not None:
        parts += _changes(changes, "###")
    if seen.unexpected:
        parts += [f"### Not as expected: {len(seen.unexpected)}", _unexpected(seen.unexpected)]
    if seen.groups:
        parts += ["### What failed, by cause", _causes(seen)]
    versions = ", ".join(f"{words.line(n)} {words.line(v)}" for n, v in seen.versions.items())
    parts += [f"Made with {_code(versions)}"] if versions else []
    return "\n\n".join(parts) + "\n"


def changes_as_markdown(changes: Changes) -> str:
    return "\n\n".join(_changes(changes, "##")) + "\n"


def _headline(seen: Overview) -> str:
    if not seen.unexpected:
        return f"all {seen.models} models as expected"
    return f"{len(seen.unexpected)} of {seen.models} models not as expected"


def _counts(seen: Overview) -> str:
    rows = [(c.status, str(c.models), str(c.models - c.expected or "–")) for c in seen.counts]
    kept = f"; {seen.kept} kept from an earlier run" if seen.kept else ""
    return f"{_table(('status', 'models', 'not as expected'), rows)}\n\n{words.seconds(seen.seconds)} in all{kept}"


def _changes(changes: Changes, level: str) -> Iterator[str]:
    worse = len({c.name for c in changes.regressions})
    yield f"{level} " + (f"Regression: {worse} models got worse" if worse else "No regression")
    yield changes.summary
    others = [c for c in changes.found if not c.regression]
    for title, found in (("Worse", changes.regressions), ("Otherwise changed", others)):
        if found:
            yield f"{level}# {title}"
            yield _table(("model", "change", "what", "before", "after"), map(_change, found), len(found))
    if changes.versions:
        rows = [(_code(n), _code(a), _code(b)) for n, (a, b) in changes.versions.items()]
        yield _table(("version of", "before", "after"), rows)


def _change(change: Change) -> Sequence[str]:
    values = change.shown if change.unit else map(_code, change.shown)
    return _code(change.name), change.kind, _code(change.what), *values


def _unexpected(rows: Sequence[Row]) -> str:
    cells = ((_code(r.name), _expected(r), r.status, _code(told(r.error) or r.cause)) for r in rows)
    return _table(("model", "expected", "is", "because"), cells, len(rows))


def _expected(row: Row) -> str:
    return (row.expected or "converted") + (f" {_code(row.expected_cause)}" if row.expected_cause else "")


def _causes(seen: Overview) -> str:
    cells = ((str(len(g.models)), g.status, _code(g.cause or g.example), _code(g.advice)) for g in seen.groups)
    return _table(("models", "status", "cause", "way out"), cells, len(seen.groups))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], total: int = 0) -> str:
    lines = [row for _, row in zip(range(MOST), rows, strict=False)]
    told = [" | ".join(cells) for cells in (head, ["---"] * len(head), *lines)]
    more = f"\n\nand {total - MOST} more" if total > MOST else ""
    return "\n".join(f"| {t} |" for t in told) + more


def _code(text: str) -> str:
    """Untrusted text as code, in which there are no links, mentions, images or HTML; safe in a table's cell."""
    clean = words.line(text, _LONG)
    if not clean:
        return ""
    longest = max(map(len, re.findall("`+", clean)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if clean.startswith("`") or clean.endswith("`") else ""
    # GitHub takes cells apart before it looks for code, and a backslash escapes a bar unless it is itself escaped
    cell = clean.replace("\\|", "\\¦").replace("|", "\\|")
    return f"{fence}{pad}{cell}{pad}{fence}"
