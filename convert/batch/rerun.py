"""Kept headers on kept inputs again, with the onnxruntime that is installed now: ``compare --against onnxruntime``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from convert.batch.fingerprint import build
from convert.batch.row import Results, Row
from convert.errors import ConvertError, UsageError
from convert.reverify import verify_header

_KEPT = (".hxx", ".exported.onnx", ".inputs.npz")


def rerun(path: Path, tell: Callable[[Row], None]) -> Results:
    """The results as they are now: what was converted is held against onnxruntime's answers again.

    :param path: ``results.json`` of a batch that ran with ``--keep``, in the folder that it wrote.
    :param tell: is told of each row as it is done.
    :raises UsageError: nothing was kept.
    """
    old = Results.read(path)
    rows: dict[str, Row] = {}
    for name, row in old.rows.items():
        kept = [next((f for f in row.files if f.endswith(s)), "") for s in _KEPT]
        if all(kept):
            rows[name] = _again(row, *(path.parent / f for f in kept))
            tell(rows[name])
    if not rows:
        raise UsageError(
            "nothing was kept that could be run again", where=str(path), advice="run the batch with --keep"
        )
    return Results(old.made, {**old.rows, **rows})


def _again(row: Row, header: Path, model: Path, inputs: Path) -> Row:
    limits = [e["tolerance"] for e in row.errors if e["edge"] == "header vs exported"]
    rtol, atol = (max((float(t[k]) for t in limits), default=None) for k in ("rtol", "atol"))
    try:
        seen = verify_header(header, model, samples=inputs, rtol=rtol, atol=atol).seen
    except ConvertError as error:
        cause = f"{type(error).__name__}: {error.finding.what}"
        return dataclasses.replace(row, status="failed", stage=error.stage, cause=cause, error=error.as_json())
    wrong = [f.what for f in seen.failures]
    # the framework and the rewritten model were not asked again
    errors = [e for e in row.errors if e["edge"] != "header vs exported"]
    errors += [dataclasses.asdict(m) for m in seen.measured if m.edge == "header vs exported"]
    return dataclasses.replace(
        row,
        status="wrong" if wrong else "converted",
        stage="verify" if wrong else "done",
        cause="Mismatch: the header's numbers are not the reference's" if wrong else "",
        error={"kind": "Mismatch", "what": "; ".join(wrong)} if wrong else None,
        errors=tuple(errors),
        spread=tuple(dataclasses.asdict(s) for s in seen.spread),
        versions=build(),
    )
