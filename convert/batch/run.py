"""A zoo to its results."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from convert.batch.fingerprint import build, fingerprint
from convert.batch.isolated import BATCH_MARK, Limits, kill_all, run_task
from convert.batch.journal import Journal
from convert.batch.pool import executor
from convert.batch.row import Row
from convert.batch.show import Show
from convert.batch.task import Task
from convert.batch.zoo import Entry
from sofie_bridge import cache

#: Statuses that say as much of the machine at that time as of the model: such rows are made anew in the next run.
_UNSURE = ("crashed", "timed out", "out of memory", "skipped")
#: Bytes of compiled headers that the cache may hold; the oldest go first.
CACHE = 5_000_000_000
#: Models between looks at the cache.
PRUNE = 200
#: Tasks handed out for each that can run, so that ten thousand models are not ten thousand futures.
AHEAD = 4
#: Share of the machine's memory that all jobs together may have.
_SHARE = 0.8


@dataclass(frozen=True)
class Plan:
    """How a batch is run.

    :param to: as ``--to``. :param output: folder. :param jobs: models at a time. :param seconds: for one model.
    :param memory: limit of its processes' memory in bytes; None: its share of the machine's.
    :param scheduler: a Dask scheduler's address; empty for this machine.
    :param anew: convert all, unchanged or not. :param retry: convert again what was not converted.
    """

    to: str
    output: Path
    jobs: int
    seconds: float
    memory: int | None
    scheduler: str = ""
    keep: bool = False
    bench: bool = False
    anew: bool = False
    retry: bool = False

    @property
    def limits(self) -> Limits:
        shared = int(psutil.virtual_memory().total * _SHARE / self.jobs)
        return Limits(self.seconds, self.memory or shared, max(1, (os.cpu_count() or 1) // self.jobs))


@dataclass(frozen=True)
class Done:
    """What came of a batch. :param unfinished: models without a row, after Ctrl-C."""

    results: Path
    rows: int
    kept: int
    unexpected: int
    unfinished: int
    interrupted: bool


def run_batch(entries: Sequence[Entry], plan: Plan, made: Mapping[str, Any]) -> Done:
    """Convert every entry, each in a process of its own, and write ``results.json``.

    :param made: what is told of the run in ``results.json``, beside versions, time and duration.
    :raises convert.errors.ConvertError: the output folder or the scheduler cannot be used.
    """
    start, when = time.perf_counter(), time.strftime("%Y-%m-%dT%H:%M:%S%z")
    batch = uuid4().hex
    made = {**made, "batch": batch}
    count = unexpected = kept = 0
    interrupted = False
    with Journal(plan.output, made) as journal, Show(len(entries)) as show:

        def take(row: Row) -> None:
            nonlocal count, unexpected, kept
            journal.add(row)
            show.row(row)
            if not count % PRUNE:
                cache.prune("library", CACHE)
            count, unexpected, kept = count + 1, unexpected + (not row.as_expected), kept + row.kept

        if journal.broken_off:  # what its models' code had begun may still run
            kill_all(BATCH_MARK, str(journal.broken_off.get("batch")))
        try:
            tasks = list(_changed(entries, plan, journal, take))
            with executor(plan.jobs, plan.scheduler) as pool:
                try:
                    for row in _rows(tasks, plan.limits, batch, pool, show, ahead=AHEAD * plan.jobs):
                        take(row)
                except KeyboardInterrupt:
                    kill_all(BATCH_MARK, batch)  # before the pool waits for them
                    raise
        except KeyboardInterrupt:
            interrupted = True
        finally:
            told = {**made, "when": when, "seconds": time.perf_counter() - start, "versions": build()}
            unfinished = len(entries) - count
            results = journal.close([e.name for e in entries], {**told, "unfinished": unfinished})
    return Done(results, count, kept, unexpected, unfinished, interrupted)


def _changed(entries: Sequence[Entry], plan: Plan, journal: Journal, take: Any) -> Iterator[Task]:
    """Tasks for those that are to be converted; the rows of the others are taken from the earlier run."""
    settings = {"to": plan.to, "keep": plan.keep, "bench": plan.bench}
    for entry in entries:
        key, source = fingerprint(entry, settings)
        task = Task(
            entry.name, entry.source, entry.label, entry.options, plan.to, str(plan.output.absolute()), entry.expected,
            entry.cause, entry.tags, entry.needs, key, source, plan.keep, plan.bench,
        )  # fmt: skip
        old = None if plan.anew else journal.unchanged(entry.name, key)
        if old is not None and not (old.status in _UNSURE or (plan.retry and old.status != "converted")):
            take(
                dataclasses.replace(
                    old, kept=True, expected=entry.expected, expected_cause=entry.cause, tags=entry.tags
                )
            )
        else:
            yield task


def _rows(
    tasks: Sequence[Task], limits: Limits, batch: str, pool: Executor, show: Show, *, ahead: int
) -> Iterator[Row]:
    """Rows as they come; a few tasks are handed out ahead."""
    waiting: dict[Future[Row], Task] = {}
    left = iter(tasks)
    while True:
        for task in left:
            waiting[pool.submit(run_task, task, limits, batch)] = task
            if len(waiting) >= ahead:
                break
        if not waiting:
            return
        show.begun(sum(f.running() for f in waiting))
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            yield _row(future, waiting.pop(future))


def _row(future: Future[Row], task: Task) -> Row:
    error = future.exception()
    if error is None:
        return future.result()
    # what runs a task turns everything into a row, so that this is the cluster's: workers that died over it
    words = f"{type(error).__name__}: {error}"
    return task.row("crashed", "start", cause="crashed with its worker", error={"kind": "crashed", "what": words})
