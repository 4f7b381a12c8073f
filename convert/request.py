"""What the user asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from convert.custom import CustomOperator
from convert.errors import UsageError
from convert.spec import TensorSpec

To = Literal["header", "onnx", "project", "rdf", "root"]
Weights = Literal["file", "embed", "safetensors", "root"]
Backend = Literal["pysofie", "root"]
Layout = Literal["as-given", "nchw"]
Functions = Literal["symbolic", "forward"]


@dataclass(frozen=True)
class Request:
    """One conversion. The fields are the command line's options.

    :param source: a path, a :class:`convert.spec.Factory`, a :class:`convert.spec.Inside`, or a model in memory.
    :param to: what to write.
    :param output: a folder, or the header's own path ending in ``.hxx`` (``.onnx`` for the rewritten model, ``.root``
        or ``.root:NAME`` for a ROOT file, which may hold other models).
    :param inputs: dtypes and shapes of inputs.
    :param weights: in a file beside the header, inside it, in a safetensors file, or in a ROOT file. None: as the
        header that lies in a ``.root`` file has them, for any other model "file".
    :param backend: the SOFIE that writes the header: the Python package's, or that of an installed ROOT.
    :param check: analyse only; write nothing.
    :param verify: compile, run and compare. Without, shapes and types are still compared.
    :param keep_going: write a header although verification failed.
    :param samples: the user's inputs to compare on: an ``.npz`` file or arrays by input name.
    :param rtol: relative tolerance for floats. :param atol: absolute one. None: by dtype.
    :param allow_code: may code in the model file run?
    :param custom_objects: modules with classes of a Keras model's own.
    :param translations: Python files that register translations of framework operators, see
        :mod:`converters.translations`; or dicts of PyTorch's operators and their translations.
    :param functions: "symbolic": a ``torch.autograd.Function`` with a static ``symbolic`` is exported by it; "forward":
        its forward is traced.
    :param custom_operators: Python files that declare operators in C++, or declarations: :mod:`convert.custom`.
    :param inline_operators: their C++ is written into the header, not included by it.
    :param params: parameters, for a model file that has none.
    :param batch: size of the batch, where the model leaves it open.
    :param model: factory for files that hold only parameters; the name of one of several models in a ``.root`` file.
    :param example: example inputs for a module in memory: positional ones, or a dict of keyword ones.
    :param dynamic_shapes: open dimensions of the example inputs, as ``torch.export`` takes them.
    :param float32: run double and 16-bit floats in float32 wherever they are, not only where SOFIE has no other way.
    :param layout: "nchw": inputs and outputs of channels-last models become channels first, where the model transposes
        them at once.
    :param paranoid: run each pass and each application of a rule, before and after, and name the guilty one.
    :param keep: write the exported ONNX (``.exported.onnx``) and the inputs compared on (``.inputs.npz``), too.
    :param bench: measure the latency of header and onnxruntime, one thread, on the first inputs compared on.
    :param verbose: let the exporter's own output through.
    """

    source: Any
    to: To = "header"
    output: Path | None = None
    inputs: tuple[TensorSpec, ...] = ()
    weights: Weights | None = None
    backend: Backend = "pysofie"
    check: bool = False
    verify: bool = True
    keep_going: bool = False
    samples: Path | Mapping[str, Any] | None = None
    rtol: float | None = None
    atol: float | None = None
    allow_code: bool = False
    custom_objects: tuple[str, ...] = ()
    translations: tuple[str | Mapping[Any, Callable[..., Any]], ...] = ()
    functions: Functions = "symbolic"
    custom_operators: tuple[str | CustomOperator, ...] = ()
    inline_operators: bool = False
    params: Path | None = None
    batch: int | None = None
    model: str | None = None
    example: tuple[Any, ...] | Mapping[str, Any] = ()
    dynamic_shapes: Any = None
    float32: bool = False
    layout: Layout = "as-given"
    paranoid: bool = False
    keep: bool = False
    bench: bool = False
    verbose: bool = False

    def __post_init__(self) -> None:
        for field, kinds in (
            ("to", To),
            ("weights", Weights),
            ("backend", Backend),
            ("layout", Layout),
            ("functions", Functions),
        ):
            if getattr(self, field) not in get_args(kinds) and (field, getattr(self, field)) != ("weights", None):
                raise UsageError(f"{field}={getattr(self, field)!r} is none of {', '.join(get_args(kinds))}")
        if self.to == "project" and self.weights == "root":
            why = "a project stands alone, and its weights would need a ROOT"
            raise UsageError("--to project does not go with --weights root", why=why, advice="other --weights")
        if self.to == "rdf" and self.weights == "root":
            why = "the functor is run before it is handed over, and its weights are not in a file of their own then"
            advice = "--to header --weights root, and sofie_bridge.rdf.define with that header"
            raise UsageError("--to rdf does not go with --weights root", why=why, advice=advice)
        if self.batch is not None and self.batch < 1:
            raise UsageError(f"batch={self.batch} is no size", advice="give a number from 1")
        for field in ("rtol", "atol"):
            limit = getattr(self, field)
            if limit is not None and not 0 <= limit < 1:
                raise UsageError(f"{field}={limit} is no tolerance", advice="give a number from 0 to below 1")
