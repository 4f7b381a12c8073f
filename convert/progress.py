"""One line a stage on stderr; while a stage runs, a spinner where stderr is a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.status import Status

    from convert.report import Stage


class Progress(Protocol):
    """Is told of stages as they begin and end."""

    def begin(self, name: str) -> None: ...
    def end(self, stage: Stage) -> None: ...


class Silent:
    """For calls from Python."""

    def begin(self, name: str) -> None:
        pass

    def end(self, stage: Stage) -> None:
        pass


class Lines:
    """For the command line."""

    def __init__(self) -> None:
        self._status: Status | None = None

    def begin(self, name: str) -> None:
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status(f"{name} …")
            self._status.start()

    def end(self, stage: Stage) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
        mark = f"{stage.state.upper()}: " if stage.state in ("failed", "skipped") else ""
        summary = " ".join(stage.summary.split())
        sys.stderr.write(f"{stage.name:<8}{stage.seconds:6.1f} s  {mark}{summary}\n")
