"""How a batch goes, for the one who waits: a bar on a terminal, a line a model elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from convert.batch.row import Row

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Show:
    """Is told of rows as they come. A context."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = self._failed = self.running = 0
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Show:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.completed:.0f} of {task.total:.0f}"),
                BarColumn(),
                TextColumn("{task.fields[failed]} not as expected, {task.fields[running]} running"),
                TimeElapsedColumn(),
                TextColumn("left:"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("models", total=self._total, failed=0, running=0)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begun(self, count: int) -> None:
        """So many run now."""
        self.running = count
        self._update()

    def row(self, row: Row) -> None:
        """A model is done."""
        self._done += 1
        self._failed += not row.as_expected
        if self._bar is None or not row.as_expected:
            line = f"[{self._done}/{self._total}] {self._line(row)}"
            (sys.stderr.write(line + "\n") if self._bar is None else self._bar.console.print(line, markup=False))
        self._update()

    def _line(self, row: Row) -> str:
        how = "unchanged, " if row.kept else ""
        words = f"{row.name}: {how}{row.status}"
        if row.status == "converted":
            words += f", max |difference| {row.worst:.2g}" if row.errors else ", not verified"
        elif row.cause:
            words += f" ({row.cause})"
        words += "" if row.kept else f", {row.seconds:.1f} s"
        return words if row.as_expected else f"{words}  NOT AS EXPECTED" + (
            f" ({row.expected})" if row.expected else "")  # fmt: skip

    def _update(self) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, failed=self._failed, running=self.running)
