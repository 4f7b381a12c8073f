"""What a front end takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    import onnx

    from convert.spec import TensorSpec

    Arrays = Mapping[str, np.ndarray[Any, Any]]


class Reference(Protocol):
    """The framework's own forward pass, in evaluation mode.

    Takes arrays by the names of the ONNX model's inputs and gives arrays by the names of its outputs.

    One that takes subnormal numbers for zeros says so by an attribute ``flushes``, True; without it none is excused.
    """

    name: str

    def __call__(self, inputs: Arrays) -> Arrays: ...


@dataclass(frozen=True)
class LoadOptions:
    """What the user said about the model.

    :param inputs: dtypes and shapes of inputs (``--input``), by name or, without one, in order.
    :param allow_code: may code inside the file run?
    :param custom_objects: modules with classes of a Keras model's own.
    :param translations: Python files that register translations of framework operators, or dicts of them.
    :param functions: what becomes of a ``torch.autograd.Function`` that has a static ``symbolic``.
    :param params: a file of parameters, or an Orbax folder, for a model that has none.
    :param batch: size of the batch, where the model leaves it open.
    :param model: ``package.module:factory`` or ``file.py:factory`` for files that hold only parameters; the name of one
        of several models in a ``.root`` file.
    :param example: example inputs (from Python, with a module in memory): positional ones, or a dict of keyword ones.
    :param dynamic_shapes: the example's open dimensions, as ``torch.export`` takes them.
    :param verbose: let the exporter's own output through.
    """

    inputs: tuple[TensorSpec, ...] = ()
    allow_code: bool = False
    custom_objects: tuple[str, ...] = ()
    translations: tuple[str | Mapping[Any, Callable[..., Any]], ...] = ()
    functions: Literal["symbolic", "forward"] = "symbolic"
    params: Path | None = None
    batch: int | None = None
    model: str | None = None
    example: tuple[Any, ...] | Mapping[str, Any] = ()
    dynamic_shapes: Any = None
    verbose: bool = False


@dataclass(frozen=True)
class Stored:
    """A header that lies beside its model, which is in the form it was made of.

    :param name: the model's name in C++.
    :param header: its text, with what it says of itself at its beginning. It is code: not to be run as it is.
    :param weights: where its weights are, as ``--weights`` says it.
    :param digest: SHA-256 of its weight file; "" where it has none of its own.
    :param build: the SOFIE that made it.
    :param tensors: what its Session reads, flat, by name.
    """

    name: str
    header: str
    weights: str
    digest: str
    build: str
    tensors: Arrays = field(repr=False)


@dataclass(frozen=True)
class Loaded:
    """A model as ONNX, with what is known of where it came from.

    :param model: the exported model; weights inline; checked by ``onnx.checker``.
    :param frontend: the front end's name ("onnx", "torch").
    :param kind: what the file was ("TorchScript archive").
    :param exporter: who wrote the ONNX ("torch.onnx (dynamo)").
    :param name: a name for the model, from the file or the class; not cleaned.
    :param notes: decisions that the user should know of, one sentence each.
    :param reference: the framework's own answers; None for ONNX files.
    :param examples: inputs that came with the model, by ONNX input name.
    :param stored: the header that came with it.
    """

    model: onnx.ModelProto
    frontend: str
    kind: str
    exporter: str
    name: str
    notes: tuple[str, ...] = ()
    reference: Reference | None = None
    examples: tuple[Arrays, ...] = field(default=())
    stored: Stored | None = None


class Frontend(Protocol):
    """One framework. ``name`` is its key; ``kinds`` is what it reads, for the list an unknown file is answered with."""

    name: str
    kinds: tuple[str, ...]

    def sniff(self, head: bytes, path: Path) -> str | None:
        """The kind of the file at ``path`` by its content (``head``: its first 4096 bytes), or None.

        Imports no framework.
        """

    def sniff_object(self, source: object) -> str | None:
        """The kind of an object in memory, or None. Imports no framework."""

    def load(self, source: Any, kind: str, options: LoadOptions) -> Loaded:
        """Read, export and check.

        :raises convert.errors.LoadError: and nothing else, whatever the file holds.
        """
