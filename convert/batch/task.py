"""One model converted, in this process, and what became of it as a row: ``python -m convert.batch.task FOLDER``.

The process may crash, hang or eat memory: :mod:`convert.batch.isolated` starts and watches it.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.batch.row import Row, Status
from convert.errors import ConvertError, EmitError, LoadError, Mismatch, RewriteError
from convert.spec import TensorSpec

if TYPE_CHECKING:
    from convert.report import Report, Stage
    from convert.request import Request

_PARTS = {".hxx": "header", ".dat": "weights", ".safetensors": "weights", ".root": "weights"}

#: In the task's folder: what is to be done, the stage that it is at, what became of it.
TASK, STAGE, ROW = "task.json", "stage", "row.json"


@dataclass(frozen=True)
class Task:
    """A model, and what is to be done with it. Plain values: it goes through JSON, and to other machines.

    :param output: folder of the batch. :param keep: keep the exported ONNX and the inputs, for ``--against``.
    :param bench: measure the latency of header and onnxruntime.
    """

    name: str
    source: str
    label: str
    options: Mapping[str, Any]
    to: str
    output: str
    expected: str = ""
    cause: str = ""
    tags: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    key: str = ""
    source_hash: str = ""
    keep: bool = False
    bench: bool = False

    def row(self, status: Status, stage: str, **found: Any) -> Row:
        """Its row, with what is known of it beforehand."""
        from convert.batch.fingerprint import build

        hashes = {"source": self.source_hash, **found.pop("hashes", {})}
        return Row(
            self.name, self.label, status, stage, expected=self.expected, expected_cause=self.cause, tags=self.tags,
            key=self.key, hashes=hashes, versions=build(), **found,
        )  # fmt: skip

    @property
    def missing(self) -> list[str]:
        """Packages that it needs and that are not here."""
        return [n for n in self.needs if find_spec(n) is None]


class _Stages:
    """Writes down which stage begins, so that a process that dies can be told where."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, name: str) -> None:
        self._path.write_text(name)

    def end(self, stage: Stage) -> None:
        pass


def convert_task(task: Task, folder: Path) -> Row:
    """Convert, here and now.

    :param folder: for scratch; it is the caller's to remove.
    """
    from convert.api import run_reported

    report, error = run_reported(_request(task), _Stages(folder / STAGE))
    status: Status = "converted" if error is None else _status(error)
    stage = error.stage if error is not None else "done"
    return task.row(status, stage, cause=_cause(error), error=report.error, **_told(task, report))


def _request(task: Task) -> Request:
    from convert.api import source_of
    from convert.request import Request

    options = dict(task.options)
    suffix = {"header": ".hxx", "onnx": ".onnx"}.get(task.to)
    output = Path(task.output) / (task.name + (suffix or ""))
    for name in ("custom_objects", "translations"):
        options[name] = tuple(options.get(name, ()))
    for name in ("samples", "params"):
        options[name] = Path(options[name]) if options.get(name) else None
    options["inputs"] = tuple(TensorSpec.parse(i) for i in options.get("inputs", ()))
    return Request(
        source_of(task.source), to=task.to, output=output, keep=task.keep, bench=task.bench, **options  # type: ignore[arg-type]
    )  # fmt: skip


def _status(error: ConvertError) -> Status:
    if "MemoryError" in str(error) or "bad_alloc" in str(error):
        return "out of memory"
    if isinstance(error, LoadError | RewriteError):
        return "refused"
    if isinstance(error, Mismatch) and not all("cannot be judged" in f.what for f in error.findings):
        return "wrong"
    return "refused" if isinstance(error, EmitError) else "failed"


def _cause(error: ConvertError | None) -> str:
    """In words that models with the same fault share: no names of tensors or places."""
    if error is None:
        return ""
    kind = type(error).__name__
    stuck = sorted({f.what.partition("(")[0] for f in error.findings if "has no way" in f.what})
    if stuck:
        return f"{kind}: {', '.join(stuck)}"
    return f"{kind}: {error.finding.what.partition(':')[0].splitlines()[0][:120]}"


def _told(task: Task, report: Report) -> dict[str, Any]:
    """The fields of the row that are in the report."""
    from convert.batch.fingerprint import digest_of

    rewritten, seen = report.rewritten, report.verification
    names = {f.relative_to(task.output).as_posix(): f for f in report.files}
    parts = {part: f for f in report.files for part in [_PARTS.get(f.suffix)] if part is not None}
    steps = Counter((s.rule, s.before, " ".join(s.after)) for s in rewritten.trail) if rewritten else Counter()
    return {
        "kind": report.kind,
        "exporter": report.exporter,
        "inputs": tuple(dataclasses.asdict(p) for p in report.inputs),
        "outputs": tuple(dataclasses.asdict(p) for p in report.outputs),
        "operators": {} if rewritten is None else {
            "before": dict(rewritten.before), "native": dict(rewritten.native), "after": dict(rewritten.after)},
        "rewrites": tuple(
            {"rule": r, "before": b, "after": a, "count": n} for (r, b, a), n in sorted(steps.items())),
        "errors": tuple(dataclasses.asdict(m) for m in seen.measured) if seen else (),
        "spread": tuple(dataclasses.asdict(s) for s in seen.spread) if seen else (),
        "stages": tuple(dataclasses.asdict(s) for s in report.stages),
        "peak_memory": report.peak_memory,
        "sizes": {n: f.stat().st_size for n, f in parts.items()},
        "hashes": {n: digest_of(f) for n, f in names.items()},
        "latency": dict(report.latency),
        "notes": tuple(report.notes),
        "files": tuple(names),
    }  # fmt: skip


def main(name: str) -> None:
    """The process: the task out of its folder, the row into it."""
    from convert.report import finite

    folder = Path(name)
    told = json.loads((folder / TASK).read_text(encoding="utf-8"))
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items()}
    task = Task(**given)
    row = convert_task(task, folder)
    scratch = folder / f"{ROW}.part"
    scratch.write_text(json.dumps(finite(row.as_json())), encoding="utf-8")
    scratch.rename(folder / ROW)


if __name__ == "__main__":
    main(sys.argv[1])
