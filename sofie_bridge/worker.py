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
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

#: Linux's prctl option: be sent a signal when the parent dies.
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Request:
    """Parse and generate a model.

    :param model: serialised ONNX, or None if ``path`` has it.
    :param path: the model's file; its stem becomes the namespace.
    :param options: SOFIE's options, as a number.
    :param header: where to write the header (weights beside it), or None to only generate.
    :param tensors: names whose shapes and types are wanted.
    :param seconds: time limit. :param memory: limit of the address space in bytes, 0 for none.
    """

    model: bytes | None
    path: str | None = None
    options: int = 0
    header: str | None = None
    tensors: tuple[str, ...] = ()
    seconds: float = 60.0
    memory: int = 0


@dataclass(frozen=True)
class Answer:
    """What became of a request.

    :param outcome: "generated", "refused" (an exception), "crashed", "timeout".
    :param words: SOFIE's exception, or the signal, with what SOFIE printed.
    :param tensors: per name the dtype as SOFIE names it, and the shape, None if it is dynamic.
    :param code: the generated code where no header was asked for.
    """

    outcome: str
    words: str = ""
    tensors: dict[str, tuple[str, list[int] | None]] = field(default_factory=dict)
    code: str = ""


def _generate(request: Request, folder: Path) -> Answer:
    import sofie
    import sofie.onnx

    path = request.path
    if path is None:
        path = str(folder / "probe.onnx")
        Path(path).write_bytes(request.model or b"")
    model = sofie.onnx.parse(path)
    model.generate(sofie.Options(request.options))
    tensors: dict[str, tuple[str, list[int] | None]] = {}
    for name in request.tensors:
        try:
            kind = model.get_tensor_type(name).name
        except RuntimeError:
            continue  # folded away inside SOFIE
        try:
            tensors[name] = (kind, list(model.get_tensor_shape(name)))
        except RuntimeError:
            tensors[name] = (kind, None)
    if request.header is not None:
        model.output_generated(request.header)
        return Answer("generated", tensors=tensors)
    return Answer("generated", tensors=tensors, code=model.return_generated())


def _child(request: Request, folder: Path, result: Path) -> None:
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
        try:
            answer = _generate(request, folder)
        except (RuntimeError, ValueError, IndexError, TypeError, MemoryError, OverflowError, OSError) as error:
            answer = Answer("refused", str(error) or type(error).__name__)
        result.write_bytes(pickle.dumps(answer))
        code = 0
    finally:
        os._exit(code)


def _serve_one(request: Request, folder: Path) -> Answer:
    result = folder / "result"
    result.unlink(missing_ok=True)
    pid = os.fork()
    if not pid:
        _child(request, folder, result)
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


def main(folder: Path) -> None:
    """Answer requests until stdin closes, with ``folder`` to write to: it is the parent's, who takes it away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides; it closes our stdin or kills us
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import sofie.onnx  # noqa: F401  (once, so that each fork has it)

    while (request := receive(source)) is not None:
        send(sink, _serve_one(request, folder))


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
