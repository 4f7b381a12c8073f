"""A child process with limits that leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

#: How much of each output stream is kept: its beginning, where a compiler's first error is, and its end.
KEPT = 1 << 20

_LAUNCH = str(Path(__file__).with_name("launch.py"))


@dataclass(frozen=True)
class Completed:
    """How a child ended.

    :param returncode: exit code; minus the signal's number if a signal ended it; 127 if it could not be started.
    :param stdout: what it wrote, undecodable bytes replaced, the middle of very long output left out.
    :param stderr: likewise.
    :param timed_out: True if it was killed at its time limit.
    """

    returncode: int
    stdout: str
    stderr: str
    timed_out: bool

    @property
    def signal_name(self) -> str | None:
        """Name of the signal that ended it ("SIGSEGV"), or None."""
        if self.returncode >= 0:
            return None
        try:
            return signal.Signals(-self.returncode).name
        except ValueError:  # real-time signals have no names
            return f"signal {-self.returncode}"


def run_child(
    argv: Sequence[str],
    *,
    time_limit: float,
    memory_limit: int | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
) -> Completed:
    """Run ``argv`` in a process group of its own and wait for it.

    Whatever happens here (the end, the time limit, Ctrl-C, any exception) the whole group is killed before this
    returns or raises; if this process is killed, the kernel kills the child.

    :param time_limit: seconds of wall-clock time.
    :param memory_limit: bytes of writable memory (RLIMIT_DATA); None for no limit.
    :param env: variables to set on top of this process's.
    :param stdin: what it reads; None for nothing.
    """
    command = [sys.executable, "-I", "-S", _LAUNCH, str(os.getpid()), str(memory_limit or 0), *argv]
    # files, not pipes: a grandchild that lives on would keep a pipe open, and a flood would fill our memory
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin or b"")
        given.seek(0)
        child = subprocess.Popen(
            command,
            stdin=given,
            stdout=out,
            stderr=err,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        timed_out = False
        try:
            child.wait(time_limit)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            _kill_group(child)
        return Completed(child.returncode, _text(out), _text(err), timed_out)


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the child's group, and reap the child."""
    with suppress(ProcessLookupError):  # the group is empty, as it should be
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _text(stream: BinaryIO) -> str:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if size <= KEPT:
        return stream.read().decode(errors="replace")
    head = stream.read(KEPT // 2)
    stream.seek(size - KEPT // 2)
    left_out = f"\n... {size - KEPT} bytes left out ...\n"
    return head.decode(errors="replace") + left_out + stream.read().decode(errors="replace")
