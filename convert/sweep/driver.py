"""Cases handed to processes, which may crash or hang: that is a result of the case whose doing it was."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Any

from convert.sweep.case import Case, suite_of
from convert.sweep.outcome import Fate, Result, results
from sofie_bridge.sofie import Sofie

#: Cases that are compiled together.
CHUNK = 24
#: Seconds that may pass without a word.
SECONDS = 600.0

Progress = Callable[[Case, Result], None]


def sweep(
    name: str, chosen: Sequence[Case], *, jobs: int, progress: Progress, quick: bool = False
) -> dict[str, Result]:
    """Results by the cases' text.

    :param name: the suite, as :func:`convert.sweep.case.suite_of` takes it: every process makes its own cases.
    :param progress: is told each result as it comes, from one thread at a time.
    :param quick: see :func:`convert.sweep.outcome.results`.
    """
    work: SimpleQueue[list[Case]] = SimpleQueue()
    count = -(-len(chosen) // CHUNK)
    for k in range(count):
        work.put(list(chosen[k::count]))  # neighbours cost alike
    found: dict[str, Result] = {}
    lock = threading.Lock()

    def take(cases: Sequence[Case], given: Sequence[Result]) -> None:
        with lock:
            for case, result in zip(cases, given, strict=True):
                found[str(case)] = result
                progress(case, result)

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        for future in [pool.submit(_serve, _Worker(name, quick), work, take) for _ in range(max(1, jobs))]:
            future.result()
    return {str(c): found[str(c)] for c in chosen}


def _serve(
    worker: _Worker, work: SimpleQueue[list[Case]], take: Callable[[Sequence[Case], Sequence[Result]], None]
) -> None:
    """Hand work to a process until there is none; a process that ends is followed by another."""
    try:
        while True:
            try:
                cases = work.get_nowait()
            except Empty:
                return
            given = worker.ask(cases)
            if isinstance(given, list):
                take(cases, given)
                continue
            worker = _Worker(worker.suite, worker.quick)
            guilty = [c for c in cases if str(c) == given.case] or (cases if len(cases) == 1 else [])
            take(guilty, [Result(Fate("error", given.words)) for _ in guilty])
            rest = [c for c in cases if c not in guilty]
            half = len(rest) if guilty else len(rest) // 2  # until it is known whose doing it was
            for part in (rest[:half], rest[half:]):
                if part:
                    work.put(part)
    finally:
        worker.close()


@dataclass(frozen=True)
class _Ended:
    """What a process was at when it ended. :param case: with which case; empty: with all."""

    words: str
    case: str


@dataclass
class _Worker:
    """A process that judges cases, started at the first."""

    suite: str
    quick: bool
    _pipe: Connection | None = None
    _process: Any = None

    def ask(self, cases: Sequence[Case]) -> list[Result] | _Ended:
        """Results; or what was being done when the process ended or hung, after which it is gone."""
        if self._pipe is None:
            context = get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_main, args=(theirs, self.suite, self.quick))
            self._process.start()
            theirs.close()
        told, case = "starting", ""
        try:
            self._pipe.send([str(c) for c in cases])
            while self._pipe.poll(SECONDS):
                answer = self._pipe.recv()
                if isinstance(answer, list):
                    return answer
                told, case = answer
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._process.join()
            return _Ended(f"{told} ended the process, exit code {self._process.exitcode}", case)
        self._process.kill()
        self.close()
        return _Ended(f"{told}: no word for {SECONDS:g} s", case)

    def close(self) -> None:
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            self._process.join(5)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            self._process = None


def _main(pipe: Connection, name: str, quick: bool) -> None:  # noqa: FBT001 - a process takes its arguments in order
    """The process: chunks of cases in, by their text; words on what is being done, and results, out."""
    known = {str(c): c for c in suite_of(name).cases()}

    def tell(what: str, case: Case | None) -> None:
        pipe.send((what, str(case or "")))

    with Sofie() as sofie:
        while True:
            try:
                wanted = pipe.recv()
            except EOFError:
                return
            pipe.send(results([known[w] for w in wanted], sofie, tell, quick=quick))
