"""Keras and TensorFlow: .keras, .h5, SavedModel, JSON with weights; models, functions and modules in memory."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convert.errors import BadModel, BadSamples, Finding, MissingPackage
from convert.spec import DTYPES
from converters import keras_files
from converters.base import Loaded, LoadOptions
from converters.keras_files import CONFIG, HDF5, KERAS, SAVED_MODEL
from converters.quiet import Attempt, quietly, reason
from converters.vetting import real_inputs, run_checker, vet

MODEL, FUNCTION = "Keras model in memory", "TensorFlow function or module in memory"
_EXTRA = "pip install 'sofie-convert[keras]' (the extra [keras])"


class KerasFrontend:
    """Reads what Keras and TensorFlow write, and takes their models in memory."""

    name = "keras"
    kinds: tuple[str, ...] = (KERAS, HDF5, SAVED_MODEL, CONFIG, MODEL, FUNCTION)

    def sniff(self, head: bytes, path: Path) -> str | None:
        """By the members of the zip archive or folder, or the first bytes."""
        return keras_files.sniff(head, path)

    def sniff_object(self, source: object) -> str | None:
        """A model, function or module; none can exist before its framework has been imported."""
        for name in ("keras", "tf_keras"):
            keras = sys.modules.get(name)
            if keras is not None and isinstance(source, keras.layers.Layer):
                return MODEL
        tf = sys.modules.get("tensorflow")
        if tf is not None and isinstance(source, (tf.Module, tf.types.experimental.PolymorphicFunction)):
            return FUNCTION
        return None

    def load(self, source: Any, kind: str, options: LoadOptions) -> Loaded:
        """Open, trace, convert and check.

        :raises convert.errors.LoadError: whatever the file holds.
        """
        where = str(source) if isinstance(source, Path) else f"the {type(source).__name__} in memory"
        _import_frameworks(where, verbose=options.verbose)
        if isinstance(source, Path):
            with quietly(verbose=options.verbose):
                opened = keras_files.open_file(source, kind, options)
            subject, notes = opened.subject, list(opened.notes)
        else:
            subject, notes = source, []
        name = source.stem if isinstance(source, Path) else str(getattr(source, "name", type(source).__name__))
        return _load(subject, kind, name, where, notes, options)


def _import_frameworks(where: str, *, verbose: bool) -> None:
    """
    :raises MissingPackage: one is not there, or Keras runs on another backend.
    """
    missing = [n for n in ("tensorflow", "keras", "tf2onnx", "h5py") if importlib.util.find_spec(n) is None]
    if missing:
        raise MissingPackage(f"{', '.join(missing)} needed to read this model", where=where, advice=_EXTRA)
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quietly(verbose=verbose), Attempt() as attempt:
        import keras
        import tensorflow  # noqa: F401
        import tf2onnx  # noqa: F401
    if attempt.error is not None:
        raise MissingPackage("TensorFlow or Keras cannot be imported", why=reason(attempt.error), advice=_EXTRA)
    if keras.config.backend() != "tensorflow":
        raise MissingPackage(
            f"Keras runs on {keras.config.backend()} in this process, and is converted on TensorFlow", where=where,
            advice="set KERAS_BACKEND=tensorflow before keras is imported, or save the model and convert the file",
        )  # fmt: skip


def _load(subject: Any, kind: str, name: str, where: str, notes: list[str], options: LoadOptions) -> Loaded:
    from converters.keras_tracing import on_cpu, tracing
    from converters.tf_export import EXPORTER, OPSET, export, refuse_leftovers

    call = _call(subject, kind, options, where)
    _check_dtypes(call, where)
    reference = KerasReference(call, on_cpu)
    model = export(call, where=where, tracing=tracing, verbose=options.verbose)
    refuse_leftovers(model, where=where)
    vet(model, where=where)
    run_checker(model, where=where)
    taken = {v.name for v in real_inputs(model)}
    notes += [f"the input {n} is not used and not an input of the ONNX model" for n in call.names if n not in taken]
    notes += [*call.notes, f"exported by {EXPORTER}, opset {OPSET}"]
    reference.outputs = tuple(v.name for v in model.graph.output)
    examples = ()
    if options.example:
        import tensorflow as tf

        flat = [np.asarray(a) for a in tf.nest.flatten(options.example)]
        examples = ({n: a for n, a in zip(call.names, flat, strict=True) if n in taken},)
    return Loaded(model, "keras", kind, EXPORTER, name, tuple(notes), reference, examples)


def _call(subject: Any, kind: str, options: LoadOptions, where: str) -> Any:
    from converters import keras_calls

    with quietly(verbose=options.verbose), Attempt() as attempt:
        if kind == SAVED_MODEL:
            return keras_calls.from_signature(subject, options, where=where)
        if kind == FUNCTION:
            return keras_calls.from_callable(subject, subject, (), options, where=where)
        return keras_calls.from_model(subject, options, where=where)
    raise BadModel("the model's inputs cannot be found out", where=where, why=reason(attempt.error)) from attempt.error


def _check_dtypes(call: Any, where: str) -> None:
    findings = tuple(
        Finding(f"input {n} has the dtype {d}", advice="cut the layers that read it off the model" if d == "string" else "")
        for n, d in zip(call.names, call.dtypes, strict=True)
        if d not in DTYPES
    )
    if findings:
        advice = "use one of " + ", ".join(DTYPES)
        raise BadModel("the model's inputs cannot be used", where=where, advice=advice, findings=findings)


class KerasReference:
    """The model's own answers, in evaluation mode, by the names of the ONNX model."""

    def __init__(self, call: Any, context: Any) -> None:
        import keras
        import tensorflow as tf

        self._call, self._context = call, context
        self.outputs: tuple[str, ...] = ()
        self.name = f"keras {keras.__version__} (tensorflow {tf.__version__})"

    def __call__(self, inputs: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
        import tensorflow as tf

        call = self._call
        tensors = [
            tf.constant(inputs[n], d) if n in inputs else tf.zeros([i if isinstance(i, int) else 1 for i in s], d)
            for n, d, s in zip(call.names, call.dtypes, call.shapes, strict=True)
        ]
        with quietly(), Attempt() as attempt, self._context():
            return dict(zip(self.outputs, (np.asarray(t) for t in call.run(tensors)), strict=True))
        raise BadSamples("the model itself does not run on these inputs", why=reason(attempt.error)) from attempt.error


frontend = KerasFrontend()
