"""The installed SOFIE: its build, and requests to the worker that runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from convert.errors import SofieCrashed
from sofie_bridge import backends
from sofie_bridge.backends import DEFAULT
from sofie_bridge.backends.base import NO_WEIGHT_FILE as NO_WEIGHT_FILE
from sofie_bridge.backends.base import SAFETENSORS as SAFETENSORS
from sofie_bridge.worker import Answer, Request, receive, send


def build(backend: str = DEFAULT) -> str:
    """Version and content of the installed SOFIE of a backend: what a verdict holds for.

    :raises convert.errors.ConvertError: it is not installed; with how to get it.
    """
    return backends.backend(backend).build()


#: ``python -m`` would put the current folder first in the search path, whatever modules lie there.
_START = """
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
sys.path.insert(0, sys.argv[1])
from sofie_bridge.worker import main
main(Path(sys.argv[2]), sys.argv[3])
"""


class Sofie:
    """A worker process, started at the first request. A context manager; ending it leaves no process behind.

    :param backend: which SOFIE, see :mod:`sofie_bridge.backends`.
    """

    def __init__(self, backend: str = DEFAULT) -> None:
        self.backend = backend
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: TemporaryDirectory[str]

    def ask(self, request: Request) -> Answer:
        """Send a request and wait for its answer.

        :raises SofieCrashed: the worker itself is gone.
        """
        if self._process is None:
            self._folder = TemporaryDirectory(prefix="sofie-worker-")
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(Path(__file__).parents[1]), self._folder.name, self.backend],
                env={**os.environ, "PYTHONSAFEPATH": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            send(self._process.stdin, request)
            answer = receive(self._process.stdout)
        except BrokenPipeError:
            answer = None
        except KeyboardInterrupt:
            self.close()
            raise
        if answer is None:
            self.close()
            raise SofieCrashed("the process that runs SOFIE ended", advice="run again with --debug")
        assert isinstance(answer, Answer)
        return answer

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
            self._folder.cleanup()

    def __enter__(self) -> Sofie:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def words(answer: Answer) -> str:
    """SOFIE's own words in one line."""
    said = " ".join(answer.words.split())
    return said if answer.outcome == "refused" else f"SOFIE {answer.outcome}: {said}"
