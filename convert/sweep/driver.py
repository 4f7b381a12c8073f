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


def sweep(name: str, chosen: Sequence[Case], *, jobs: int, progress: Progress) -> dict[str, Result]:
    """Results by the cases' text.

    :param name: the suite, as :func:`convert.sweep.case.suite_of` takes it: every process makes its own cases.
    :param progress: is told each result as it comes, from one thread at a time.
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
        for future in [pool.submit(_serve, name, work, take) for _ in range(max(1, jobs))]:
            future.result()
    return {str(c): found[str(c)] for c in chosen}


def _serve(
    name: str, work: SimpleQueue[list[Case]], take: Callable[[Sequence[Case], Sequence[Result]], None]
) -> None:
    """Hand work to a process until there is none; a process that ends is followed by another."""
    worker = _Worker(name)
    try:
        while True:
            try:
                cases = work.get_nowait()
            except Empty:
                return
            given = worker.ask(cases)
            if isinstance(given, str):
                worker = _Worker(name)
            if isinstance(given, list):
                take(cases, given)
            elif len(cases) == 1:
                take(cases, [Result(Fate("error", given))])
            else:
                work.put(cases[: len(cases) // 2])
                work.put(cases[len(cases) // 2 :])
    finally:
        worker.close()


@dataclass
class _Worker:
    """A process that judges cases, started at the first."""

    suite: str
    _pipe: Connection | None = None
    _process: Any = None

    def ask(self, cases: Sequence[Case]) -> list[Result] | str:
        """Results; or what was being done when the process ended or hung, after which it is gone."""
        if self._pipe is None:
            context = get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_main, args=(theirs, self.suite))
            self._process.start()
            theirs.close()
        told = "starting"
        try:
            self._pipe.send([str(c) for c in cases])
            while self._pipe.poll(SECONDS):
                answer = self._pipe.recv()
                if isinstance(answer, list):
                    return answer
                told = answer
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._process.join()
            return f"{told}: this ended the process, exit code {self._process.exitcode}"
        self.close()
        return f"{told}: no word for {SECONDS:g} s"

    def close(self) -> None:
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            self._process.join(5)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            self._process = None


def _main(pipe: Connection, name: str) -> None:
    """The process: chunks of cases in, by their text; words on what is being done, and results, out."""
    known = {str(c): c for c in suite_of(name).cases()}
    with Sofie() as sofie:
        while True:
            try:
                wanted = pipe.recv()
            except EOFError:
                return
            pipe.send(results([known[w] for w in wanted], sofie, pipe.send))
