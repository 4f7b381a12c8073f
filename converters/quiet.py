"""Code that is not ours: keep it quiet, and survive whatever it raises."""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

from convert.attempt import Attempt as Attempt
from convert.errors import ConvertError

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_FRAME = re.compile(r'File "(.+)", line (\d+), in ')


@dataclass
class Chatter:
    """What was said within :func:`quietly`: ``text`` is complete once the block is left."""

    text: str = ""
    warnings: list[warnings.WarningMessage] = field(default_factory=list)


def reason(error: BaseException | None) -> str:
    """One line: the class and the first line of the innermost cause, without terminal colours."""
    if error is None:
        return "no reason given"
    seen = {id(error)}
    while (cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        if id(cause) in seen or isinstance(cause, ConvertError):
            break
        seen.add(id(cause))
        error = cause
    return f"{type(error).__name__}: {first_line(str(error)) or 'no message'}"


def first_line(text: str) -> str:
    """The first line that says something, at most 300 characters, without the dump of a graph that torch appends."""
    text = text.split("  [Caused by the value", 1)[0]
    lines = [line.strip() for line in _ANSI.sub("", text).splitlines() if line.strip()] or [""]
    line = _unwrapped(lines)
    return line if len(line) <= 300 else line[:297] + "..."


def _unwrapped(lines: list[str]) -> str:
    """The cause, where Keras or TensorFlow begin with something else."""
    first = lines[0]
    if first.startswith("Exception encountered when calling") and len(lines) > 1:
        return f"{first.removesuffix('.')}: {lines[1]}"
    if first.startswith("Graph execution error"):  # lines of the model's code, the cause, the node
        return next(line for line in reversed(lines) if not line.startswith("[["))
    if first == "in user code:":  # lines of the model's code, the error
        places = [found for line in lines if (found := _FRAME.match(line))]
        place = f", in {places[-1][1]}:{places[-1][2]}" if places else ""
        return re.sub(r"^\w+: ", "", lines[-1]).removesuffix(".") + place
    return first


@contextlib.contextmanager
def quietly(*, verbose: bool = False) -> Iterator[Chatter]:
    """Hold back standard output, standard error, warnings and logging of the block; ``verbose`` lets them through.

    The file descriptors are redirected too, for libraries that print from C++. This is process-wide: other threads'
    output is held back as well for the time.
    """
    chatter = Chatter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if verbose:
            yield chatter
        else:
            with _no_logging(), _redirected(chatter):
                yield chatter
        chatter.warnings.extend(caught)
    if verbose:
        for warning in chatter.warnings:
            warnings.showwarning(warning.message, warning.category, warning.filename, warning.lineno)


@contextlib.contextmanager
def _no_logging() -> Iterator[None]:
    # torch's handlers keep the stderr they saw at import, so redirecting does not reach them.
    before = logging.root.manager.disable
    trace = logging.getLogger("torch.__trace")  # it is handed records directly, past logging.disable
    traced = trace.disabled
    logging.disable(logging.CRITICAL)
    trace.disabled = True
    try:
        yield
    finally:
        logging.disable(before)
        trace.disabled = traced


@contextlib.contextmanager
def _redirected(chatter: Chatter) -> Iterator[None]:
    text = io.StringIO()
    with tempfile.TemporaryFile() as file, contextlib.ExitStack() as stack:
        for descriptor in (1, 2):
            stack.enter_context(_descriptor_to(descriptor, file.fileno()))
        stack.enter_context(contextlib.redirect_stdout(text))
        stack.enter_context(contextlib.redirect_stderr(text))
        try:
            yield
        finally:
            stack.close()
            file.seek(0)
            chatter.text = text.getvalue() + file.read().decode(errors="replace")


@contextlib.contextmanager
def _descriptor_to(descriptor: int, target: int) -> Iterator[None]:
    _flush()
    try:
        saved = os.dup(descriptor)
    except OSError:  # a daemon may have closed it: nothing can leak then
        yield
        return
    os.dup2(target, descriptor)
    try:
        yield
    finally:
        _flush()
        os.dup2(saved, descriptor)
        os.close(saved)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)  # C's own buffers: printf from C++ would come out after the redirection
