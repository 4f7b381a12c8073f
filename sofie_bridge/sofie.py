"""The installed SOFIE: its build, and requests to the worker that runs it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from functools import cache
from importlib import metadata, util
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from convert.errors import SofieCrashed
from sofie_bridge.worker import Answer, Request, receive, send

#: SOFIE's options (``sofie.Options``).
NO_WEIGHT_FILE = 2
SAFETENSORS = 256


@cache
def build() -> str:
    """Version and content of the installed SOFIE: what a verdict holds for."""
    spec = util.find_spec("sofie")
    if spec is None or spec.origin is None:
        raise SofieCrashed("SOFIE is not installed", advice="pip install sofie==0.1.0")
    digest = hashlib.sha256()
    for library in sorted(Path(spec.origin).parent.glob("*.so")):
        digest.update(library.read_bytes())
    return f"pysofie-{metadata.version('sofie')}-{digest.hexdigest()[:12]}"


#: ``python -m`` would put the current folder first in the search path, whatever modules lie there.
_START = """
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
sys.path.insert(0, sys.argv[1])
from sofie_bridge.worker import main
main(Path(sys.argv[2]))
"""


class Sofie:
    """A worker process, started at the first request. A context manager; ending it leaves no process behind."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: TemporaryDirectory[str]

    def ask(self, request: Request) -> Answer:
        """Send a request and wait for its answer.

        :raises SofieCrashed: the worker itself is gone.
        """
        if self._process is None:
            self._folder = TemporaryDirectory(prefix="sofie-worker-")
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(Path(__file__).parents[1]), self._folder.name],
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
