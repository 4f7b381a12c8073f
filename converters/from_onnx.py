"""ONNX files, and ONNX models in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.errors import BadModel, MissingPackage
from converters.base import Loaded, LoadOptions
from converters.external import external_tensors, inline_external_data
from converters.inputs import apply_specs
from converters.quiet import Attempt, reason
from converters.vetting import real_inputs, run_checker, vet
from converters.wire import looks_like_onnx

if TYPE_CHECKING:
    import onnx

_KIND = "ONNX model"
#: Inputs that are initializers may be left out of the inputs from this IR version on.
_FREE_INITIALIZERS = 4


class OnnxFrontend:
    """Reads ONNX; there is no framework whose answers could be a reference."""

    name = "onnx"
    kinds: tuple[str, ...] = (_KIND,)

    def sniff(self, head: bytes, path: Path) -> str | None:
        """By the top-level fields of the protobuf message, whatever the file is called."""
        return _KIND if head and looks_like_onnx(path) else None

    def sniff_object(self, source: object) -> str | None:
        """An ``onnx.ModelProto``."""
        cls = type(source)
        return _KIND if cls.__name__ == "ModelProto" and cls.__module__.split(".")[0] == "onnx" else None

    def load(self, source: Any, kind: str, options: LoadOptions) -> Loaded:
        """Parse, take in external data, check, and fix the given dimensions.

        :raises convert.errors.LoadError: whatever the file holds.
        """
        try:
            import onnx  # noqa: F401
        except ImportError as error:
            raise MissingPackage("onnx is needed", advice="pip install onnx", why=str(error)) from error
        if isinstance(source, Path):
            model, where, name = _read(source), str(source), source.stem
            inlined = inline_external_data(model, source.parent, where=where)
        else:
            model, where, name = _copy(source), "the model in memory", source.graph.name
            inlined = 0
        vet(model, where=where)
        # The checker wants a shape for each input, which the user may be about to give.
        notes = [*_unlist_initializers(model), *apply_specs(model, options.inputs, where=where, batch=options.batch)]
        run_checker(model, where=where, path=str(source) if inlined else None)
        if inlined:
            notes.append(f"{inlined} tensors were read from files beside the model")
        exporter = f"{model.producer_name} {model.producer_version}".strip() or "unknown"
        return Loaded(model, self.name, kind, exporter, name or "model", tuple(notes))


def _read(path: Path) -> onnx.ModelProto:
    import onnx

    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadModel("the file cannot be read", where=str(path), why=error.strerror or str(error)) from error
    with Attempt() as attempt:  # protobuf's DecodeError, which onnx does not export
        return onnx.load_model_from_string(content, format="protobuf")
    why = f"it begins as an ONNX model, but is truncated or damaged ({reason(attempt.error)})"
    raise BadModel("the ONNX model cannot be parsed", where=str(path), why=why, advice="copy it again")


def _copy(source: onnx.ModelProto) -> onnx.ModelProto:
    if any(external_tensors(source)):
        advice = "onnx.load the file with load_external_data=True, or give its path"
        raise BadModel("the model in memory lacks its external data", advice=advice)
    model = type(source)()
    model.CopyFrom(source)
    return model


def _unlist_initializers(model: onnx.ModelProto) -> list[str]:
    """Take initializers out of the graph's inputs: they are weights. In place."""
    real = real_inputs(model)
    dropped = len(model.graph.input) - len(real)
    if not dropped:
        return []
    kept = [type(value).FromString(value.SerializeToString()) for value in real]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    if model.ir_version < _FREE_INITIALIZERS:
        model.ir_version = _FREE_INITIALIZERS
        return []
    return [f"{dropped} inputs with default values are taken as constants"]


frontend = OnnxFrontend()
