"""The public call: :func:`convert`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, TypeAlias

from convert.custom import CustomOperator
from convert.errors import ConvertError
from convert.progress import Progress, Silent
from convert.report import Report
from convert.request import Backend, Functions, Layout, Request, To, Weights
from convert.root_layout import MAGIC
from convert.spec import Factory, Inside, TensorSpec

#: Translations by operator: ``torch.ops.mylib.swish.default``, or its name.
Translations: TypeAlias = Mapping[Any, Callable[..., Any]]

_PACKAGES = (
    "sofie", "onnx", "onnxruntime", "torch", "onnxscript", "tensorflow-cpu", "tensorflow", "keras", "tf-keras",
    "tf2onnx", "jax", "flax", "equinox", "jax2onnx", "numpy",
)  # fmt: skip


def convert(
    model: Any,
    *,
    to: To = "header",
    output: str | os.PathLike[str] | None = None,
    inputs: Sequence[str | TensorSpec] = (),
    weights: Weights | None = None,
    backend: Backend = "pysofie",
    check: bool = False,
    verify: bool = True,
    keep_going: bool = False,
    samples: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    allow_code: bool = False,
    custom_objects: Sequence[str] = (),
    translations: Translations | Sequence[str | os.PathLike[str] | Translations] = (),
    functions: Functions = "symbolic",
    custom_operators: Sequence[str | os.PathLike[str] | CustomOperator] = (),
    inline_operators: bool = False,
    params: str | os.PathLike[str] | None = None,
    batch: int | None = None,
    factory: str | None = None,
    example: Any = (),
    dynamic_shapes: Any = None,
    float32: bool = False,
    layout: Layout = "as-given",
    paranoid: bool = False,
    keep: bool = False,
    bench: bool = False,
    verbose: bool = False,
) -> Report:
    """Convert a trained model to a verified C++ header.

    :param model: a path, ``file.py:factory`` or ``package.module:factory`` of what makes the model, or a model in
        memory (``torch.nn.Module``, ``torch.export.ExportedProgram``, ``keras.Model``, a ``tf.function``,
        a Flax or Equinox module, a JAX function, a pair of one of these and its parameters, ``onnx.ModelProto``).
    :param to: "header", "onnx" (the rewritten model), "project" (a folder that builds with cmake), "rdf" (the header
        and a functor for RDataFrame) or "root" (a ROOT file with model, weights and header; it may hold others).
    :param output: a folder, or a path ending in ``.hxx``, ``.onnx``, ``.root`` or ``.root:NAME``; default: the current
        folder.
    :param inputs: ``"x:float32[N,7]"`` or :class:`convert.spec.TensorSpec`, where the model does not say.
    :param weights: "file" (``.dat`` beside the header), "embed", "safetensors" or "root"; None: as the header in a
        ``.root`` file has them, for any other model "file".
    :param backend: the SOFIE that writes the header: "pysofie", or "root" where a ROOT with SOFIE is installed.
    :param check: analyse only; nothing is written.
    :param verify: compile, run and compare the header with every reference.
    :param keep_going: write the header although it is wrong; :attr:`Report.verified` says so.
    :param samples: inputs to compare on, by name, or an ``.npz`` file of them.
    :param rtol: relative, :param atol: absolute tolerance of float outputs; by dtype where None.
    :param allow_code: may code in the model file run (pickles, Keras Lambdas)?
    :param custom_objects: modules with classes of a Keras model's own.
    :param translations: Python files that register translations of framework operators, see
        :mod:`converters.translations`; or, as ``torch.onnx.export`` has them in ``custom_translation_table``, a dict
        of PyTorch's operators and the functions that translate them.
    :param functions: what becomes of a ``torch.autograd.Function`` that has a static ``symbolic``: "symbolic" exports
        that, "forward" traces its forward.
    :param custom_operators: Python files that declare operators with C++ of your own, or what
        :func:`convert.custom.custom_operator` made.
    :param inline_operators: write their C++ into the header instead of including it.
    :param params: a file of parameters, or an Orbax folder, for a model that has none.
    :param batch: size of the batch, where the model leaves it open.
    :param factory: ``package.module:factory`` or ``file.py:factory`` for a file that holds only parameters.
    :param example: example inputs of a module in memory: a tensor, a tuple of positional ones, or a dict of keyword
        ones.
    :param dynamic_shapes: open dimensions of the example inputs, as ``torch.export`` takes them:
        ``{"x": {0: torch.export.Dim("N")}}``.
    :param float32: run double and 16-bit floats in float32 wherever they are, not only where SOFIE has no other way.
    :param layout: "nchw": inputs and outputs of channels-last models become channels first, where the model transposes
        them at once; samples stay in the model's own layout.
    :param paranoid: run each pass and each application of a rule, before and after, and name the guilty one.
    :param keep: write the exported ONNX and the inputs that were compared on, too.
    :param bench: measure the latency of header and onnxruntime: :attr:`Report.latency`.
    :param verbose: let the exporter's own output through.
    :raises ConvertError: see :mod:`convert.errors` for the tree; nothing is written then.
    """
    request = Request(
        source=source_of(model) if isinstance(model, str | os.PathLike) else model,
        to=to,
        output=None if output is None else Path(output),
        inputs=tuple(TensorSpec.parse(i) if isinstance(i, str) else i for i in inputs),
        weights=weights,
        backend=backend,
        check=check,
        verify=verify,
        keep_going=keep_going,
        samples=Path(samples) if isinstance(samples, str | os.PathLike) else samples,
        rtol=rtol,
        atol=atol,
        allow_code=allow_code,
        custom_objects=tuple(custom_objects),
        translations=_translations(translations),
        functions=functions,
        custom_operators=tuple(o if isinstance(o, CustomOperator) else str(o) for o in custom_operators),
        inline_operators=inline_operators,
        params=None if params is None else Path(params),
        batch=batch,
        model=factory,
        example=_example(example),
        dynamic_shapes=dynamic_shapes,
        float32=float32,
        layout=layout,
        paranoid=paranoid,
        keep=keep,
        bench=bench,
        verbose=verbose,
    )
    report, error = run_reported(request, Silent())
    if error is not None:
        raise error
    return report


def _translations(
    given: Translations | Sequence[str | os.PathLike[str] | Translations],
) -> tuple[str | Translations, ...]:
    several = (given,) if isinstance(given, Mapping | str | os.PathLike) else given
    return tuple(t if isinstance(t, Mapping) else str(t) for t in several)


def _example(given: Any) -> tuple[Any, ...] | Mapping[str, Any]:
    """A tensor alone is one argument, and not as many as it has rows."""
    return given if isinstance(given, Mapping) else tuple(given) if isinstance(given, list | tuple) else (given,)


def source_of(text: str | os.PathLike[str]) -> Path | Factory | Inside:
    """A path; or where there is no such file and it reads so, ``models.root:name`` or ``module:factory``."""
    path = Path(text)
    home, colon, name = str(text).rpartition(":")
    if colon and not path.exists() and Path(home).is_file() and _begins(Path(home), MAGIC):
        return Inside(Path(home), name)
    is_factory = colon and home and name.replace(".", "").isidentifier() and not path.exists()
    return Factory(str(text)) if is_factory else path


def _begins(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def run_reported(request: Request, progress: Progress) -> tuple[Report, ConvertError | None]:
    """Convert; the report as far as it got, and the error that ended it."""
    from convert.pipeline import run  # brings onnx and all its kin

    report = new_report(request)
    try:
        run(request, report, progress)
    except ConvertError as error:
        report.error = error.as_json()
        return report, error
    return report, None


def new_report(request: Request) -> Report:
    source = request.source
    return Report(
        str(source) if isinstance(source, (Path, Factory, Inside)) else type(source).__qualname__, versions=versions()
    )


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on; packages that are not installed are left out."""
    from convert import __version__

    found = {"sofie-convert": __version__}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
