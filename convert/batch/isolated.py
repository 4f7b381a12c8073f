"""A task in a process of its own: whatever becomes of the process is that model's result, and nothing of it stays."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import uuid4

import psutil

from convert.batch.row import Row, Status
from convert.batch.task import ROW, STAGE, TASK, Task
from sofie_bridge.process import Completed, run_child

#: Marks every process of a task, and of a whole batch, in their environments: children begin process groups of their
#: own, and those of one that was killed are found by nothing else.
TASK_MARK, BATCH_MARK = "SOFIE_CONVERT_TASK", "SOFIE_CONVERT_BATCH"

_START = "import sys; sys.path.insert(0, sys.argv[1]); from convert.batch.task import main; main(sys.argv[2])"


@dataclass(frozen=True)
class Limits:
    """Of one model.

    :param seconds: of wall-clock time.
    :param memory: bytes, for each of its processes (RLIMIT_DATA); None for no limit.
    :param threads: for the framework and the references.
    """

    seconds: float
    memory: int | None
    threads: int


def run_task(task: Task, limits: Limits, batch: str) -> Row:
    """The row of a model, however its process ends.

    :param batch: mark of the batch, for :func:`kill_all`.
    """
    if task.missing:
        words = f"{', '.join(task.missing)} not installed"
        return task.row("skipped", "load", cause=words, error={"what": words})
    mark, threads, start = uuid4().hex, str(limits.threads), perf_counter()
    with TemporaryDirectory(prefix="sofie-task-") as name:
        folder = Path(name)
        scratch = folder / "tmp"  # what a killed process leaves goes with it
        scratch.mkdir()
        (folder / TASK).write_text(json.dumps(dataclasses.asdict(task)), encoding="utf-8")
        threading = {n: os.environ.get(n, threads) for n in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")}
        done = run_child(
            [sys.executable, "-c", _START, str(Path(__file__).parents[2]), name],
            time_limit=limits.seconds,
            memory_limit=limits.memory,
            env={**threading, "TMPDIR": str(scratch), "PYTHONSAFEPATH": "1", TASK_MARK: mark, BATCH_MARK: batch},
        )
        if done.returncode:
            kill_all(TASK_MARK, mark)
        row = _row(task, limits, done, folder)
    return dataclasses.replace(row, seconds=perf_counter() - start)


def kill_all(variable: str, mark: str) -> None:
    """Kill every process that has the variable of that value in its environment."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(variable) == mark:
                process.kill()
        except psutil.Error:  # it is gone, or another user's
            continue


def _row(task: Task, limits: Limits, done: Completed, folder: Path) -> Row:
    if (folder / ROW).exists():
        return Row.read(json.loads((folder / ROW).read_text(encoding="utf-8")))
    stage = (folder / STAGE).read_text() if (folder / STAGE).exists() else "start"
    status, words = _ended(done, limits)
    cause = f"{status} in {stage}" + (f": {words}" if status == "crashed" else "")
    error = {"kind": status, "what": f"{words}, in the stage {stage}", "why": _last_words(done.stderr)}
    return task.row(status, stage, cause=cause, error=error)


def _ended(done: Completed, limits: Limits) -> tuple[Status, str]:
    if done.timed_out:
        return "timed out", f"it took more than {limits.seconds:g} s"
    if re.search(r"MemoryError|bad_alloc|[Cc]annot allocate memory", done.stderr):
        limit = f"{limits.memory / 1e9:.1f} GB" if limits.memory else "there is"
        return "out of memory", f"it wanted more memory than {limit}"
    if done.signal_name == "SIGKILL":
        return "crashed", "it was killed (the machine may be out of memory)"
    return "crashed", done.signal_name or f"exit status {done.returncode}"


def _last_words(stderr: str, limit: int = 1000) -> str:
    return "\n".join(stderr.strip().splitlines()[-8:])[-limit:]
