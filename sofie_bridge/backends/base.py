"""What is asked of a SOFIE, and what it answers: plain values, for they go from one process to another."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

#: Options of every SOFIE that has them, by their bits.
NO_WEIGHT_FILE = 2
SAFETENSORS = 256


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

    def file(self, folder: Path) -> str:
        """The model's file; written into ``folder`` where there is none."""
        if self.path is not None:
            return self.path
        path = folder / "probe.onnx"
        path.write_bytes(self.model or b"")
        return str(path)


@dataclass(frozen=True)
class Answer:
    """What became of a request.

    :param outcome: "generated", "refused" (an exception), "lacking" (this SOFIE has not the options), "crashed",
        "timeout".
    :param words: SOFIE's exception, or the signal, with what SOFIE printed.
    :param tensors: per name the dtype as ONNX names it, and the shape, None if it is dynamic.
    :param code: the generated code where no header was asked for.
    """

    outcome: str
    words: str = ""
    tensors: dict[str, tuple[str, list[int] | None]] = field(default_factory=dict)
    code: str = ""


class Backend(Protocol):
    """One SOFIE. ``build`` is called in our own process, the others in the worker's (:mod:`sofie_bridge.worker`)."""

    name: str

    def build(self) -> str:
        """Version and content of the installed SOFIE: what a verdict holds for. Nothing is imported to find out.

        :raises convert.errors.ConvertError: it is not installed; with how to get it.
        """

    def prepare(self) -> None:
        """Import what each request needs, once, before the worker forks."""

    def generate(self, request: Request, folder: Path) -> Answer:
        """Answer a request; in a child of its own, which may crash.

        :returns: "generated"; "refused" with the words of what SOFIE raised; "lacking" with what there is instead.
        """
