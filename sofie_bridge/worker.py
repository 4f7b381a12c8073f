"""SOFIE in a process of its own, started by :mod:`sofie_bridge.sofie`.

The worker imports SOFIE once and forks for each request, so that a crash, a hang or a parser's leftover state ends with
the request. Requests and answers are pickles of plain values on stdin and stdout, between our own processes only. What
SOFIE prints is captured.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import resource
import select
import signal
import struct
from pathlib import Path
from typing import IO, Any

from sofie_bridge.backends import backend
from sofie_bridge.backends.base import Answer as Answer
from sofie_bridge.backends.base import Backend
from sofie_bridge.backends.base import Request as Request

#: Linux's prctl option: be sent a signal when the parent dies.
_PR_SET_PDEATHSIG = 1


def _child(chosen: Backend, request: Request, folder: Path, result: Path) -> None:
    """The forked child: never returns into the server's loop."""
    code = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if request.memory:
            resource.setrlimit(resource.RLIMIT_AS, (request.memory, request.memory))
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        result.write_bytes(pickle.dumps(chosen.generate(request, folder)))
        code = 0
    finally:
        os._exit(code)


def _serve_one(chosen: Backend, request: Request, folder: Path) -> Answer:
    result = folder / "result"
    result.unlink(missing_ok=True)
    pid = os.fork()
    if not pid:
        _child(chosen, request, folder, result)
    descriptor = os.pidfd_open(pid)
    try:
        if not select.select([descriptor], [], [], request.seconds)[0]:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return Answer("timeout", f"no answer within {request.seconds:g} s")
    finally:
        os.close(descriptor)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == 0 and result.exists():
        answer: Answer = pickle.loads(result.read_bytes())
        return answer
    said = (folder / "log").read_text(errors="replace").strip().splitlines() if (folder / "log").exists() else []
    what = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    return Answer("crashed", f"{what}{': ' + said[-1] if said else ''}")


def main(folder: Path, name: str) -> None:
    """Answer requests until stdin closes, with ``folder`` to write to: it is the parent's, who takes it away.

    :param name: the backend's.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides; it closes our stdin or kills us
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    chosen = backend(name)
    chosen.prepare()
    while (request := receive(source)) is not None:
        send(sink, _serve_one(chosen, request, folder))


def send(stream: IO[bytes], message: Any) -> None:
    data = pickle.dumps(message)
    stream.write(struct.pack("<Q", len(data)))
    stream.write(data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """The next message; None at the end of the stream, also where that is in the middle of one."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    size = struct.unpack("<Q", head)[0]
    data = stream.read(size)
    return pickle.loads(data) if len(data) == size else None
