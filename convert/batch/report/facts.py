"""What the page's script is given of a row: a short record for the table, and details for when it is opened."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from convert.batch.compare import KINDS, Change, used
from convert.batch.report import words
from convert.batch.report.overview import advice_of, told
from convert.batch.row import Row

#: Steps of a scatter plot's axes: finer than a screen, and short in JSON.
STEPS = 999
#: Points of all plots of a page; a zoo of many models has fewer for each, but not below the least.
POINTS = 400_000
FEWEST = 25
#: From this ratio of largest to smallest number on, an axis is logarithmic.
_WIDE = 1e3
#: Numbers from here on are not drawn: differences of them overflow.
_LARGE = 1e300
#: Spans of an axis from here down are none: steps of them underflow.
_SMALL = 1e-290
#: Findings of an error that are shown, operators of a model that can be searched for, samples of a cause.
_MOST = 40


def record(row: Row, changes: Sequence[Change]) -> dict[str, Any]:
    """One line of the table. Numbers that are not known are absent."""
    operators = {k: sum(v.values()) for k, v in row.operators.items()}
    known = {
        "name": row.name,
        "status": row.status,
        "ok": row.as_expected,
        "expected": row.expected,
        "tags": list(row.tags),
        "kept": row.kept,
        "cause": words.line(row.cause, 160),
        "change": worst_kind(changes),
        "worse": any(c.regression for c in changes),
        "before": operators.get("before"),
        "after": operators.get("after"),
        "rules": sum(int(r["count"]) for r in row.rewrites) if row.operators else None,
        "error": row.worst if row.errors else None,
        "share": max(used(e) for e in row.errors) if row.errors else None,
        "seconds": row.seconds,
        "memory": row.peak_memory or None,
        "header": row.sizes.get("header"),
        "weights": row.sizes.get("weights"),
        "latency": row.latency.get("header"),
        "onnxruntime": row.latency.get("onnxruntime"),
        "search": " ".join([row.source, row.kind, *list(row.operators.get("before", {}))[:_MOST]]),
    }
    return {k: v for k, v in known.items() if v is not None and v is not False and v != "" and v != []}


def worst_kind(changes: Sequence[Change]) -> str:
    """The change that a table has room for."""
    order = sorted(changes, key=lambda c: (not c.regression, KINDS.index(c.kind)))
    return order[0].kind if order else ""


def details(row: Row, changes: Sequence[Change], points: int) -> dict[str, Any]:
    """All else. :param points: of each scatter plot, at most."""
    wanted = (
        "source", "kind", "exporter", "expected_cause", "inputs", "outputs", "operators", "rewrites", "stages", "notes",
        "files", "hashes", "versions",
    )  # fmt: skip
    return {
        **{name: value for name in wanted if (value := getattr(row, name))},
        "errors": [{**e, "share": used(e)} for e in row.errors],
        "spread": [_plot(s, points) for s in row.spread],
        "advice": list(dict.fromkeys(advice_of(row)))[:3],
        "error": _shortened(row.error, row.cause),
        "changes": [{"kind": c.kind, "what": c.what, "shown": c.shown, "worse": c.regression} for c in changes],
    }


def points_each(rows: Sequence[Row]) -> int:
    """How many points each plot of a page may have."""
    plots = sum(len(r.spread) for r in rows)
    return max(FEWEST, POINTS // max(plots, 1))


def _shortened(error: Mapping[str, Any] | None, cause: str) -> dict[str, Any] | None:
    if not error:
        return {"what": cause} if cause else None
    findings = list(error.get("findings", ()))
    return {**error, "findings": findings[:_MOST], "more": max(0, len(findings) - _MOST), "line": told(error)}


def _plot(spread: Mapping[str, Any], most: int) -> dict[str, Any]:
    """A scatter plot as whole steps along its axes, and the histogram as it is.

    :returns: "points" are reference, header, residual, reference, header, …; the first two from "low" to "high", the
        residuals from -"residual" to "residual".
    """
    points = [(float(x), float(y)) for x, y in spread["points"] if abs(float(x)) < _LARGE and abs(float(y)) < _LARGE]
    told = {"output": spread["output"], "histogram": list(spread["histogram"])}
    if not points:
        return {**told, "points": []}
    if len(points) > most:  # those that differ most are kept, and of the rest some
        points.sort(key=lambda p: -abs(p[0] - p[1]))
        far = most // 4
        points = points[:far] + points[far :: math.ceil((len(points) - far) / (most - far))]
    values = [v for p in points for v in p]
    low, high = min(values), max(values)
    log = low > 0 and high / low > _WIDE
    place = math.log10 if log else float
    far_off = max(abs(y - x) for x, y in points) or 1.0
    if high - low < _SMALL:  # one number everywhere
        half = abs(low) / 2 if abs(low) > _SMALL else 0.5
        low, high = low - half, high + half
    start = place(low)
    span = (place(high) - start) / STEPS
    middle = STEPS / 2
    steps = dict.fromkeys(
        (round((place(x) - start) / span), round((place(y) - start) / span), round(middle + (y - x) / far_off * middle))
        for x, y in points
    )
    return {**told, "points": [s for step in steps for s in step], "low": low, "high": high, "log": log,
            "residual": max(abs(y - x) for x, y in points)}  # fmt: skip
