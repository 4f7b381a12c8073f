"""Keras and TensorFlow: .keras, .h5, SavedModel, JSON with weights; models, functions and modules in memory."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.errors import BadInput, BadModel, BadSamples, Finding, MissingPackage
from convert.spec import DTYPES
from converters import keras_files
from converters.base import Loaded, LoadOptions
from converters.keras_files import CONFIG, HDF5, KERAS, SAVED_MODEL
from converters.quiet import Attempt, quietly, reason
from converters.vetting import real_inputs, run_checker, vet

if TYPE_CHECKING:
    import numpy as np

    from converters.tf_export import Call

MODEL, FUNCTION = "Keras model in memory", "TensorFlow function or module in memory"
_PACKAGES = ("tensorflow", "keras", "tf2onnx", "h5py")
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
        if tf is None:
            return None
        types = tf.types.experimental
        if isinstance(source, (tf.Module, types.PolymorphicFunction, types.ConcreteFunction)):
            return FUNCTION
        return SAVED_MODEL if hasattr(source, "signatures") and hasattr(source, "tensorflow_version") else None

    def load(self, source: Any, kind: str, options: LoadOptions) -> Loaded:
        """Open, trace, convert and check.

        :raises convert.errors.LoadError: whatever the file holds.
        """
        where = str(source) if isinstance(source, Path) else f"the {type(source).__name__} in memory"
        name = source.stem if isinstance(source, Path) else str(getattr(source, "name", type(source).__name__))
        _import_frameworks(where, verbose=options.verbose)
        with quietly(verbose=options.verbose):
            subject, notes = _open(source, kind, options, where)
            call = _call(subject, kind, options, where)
        return _export(subject, call, kind, name, where, notes, options)


def _import_frameworks(where: str, *, verbose: bool) -> None:
    """
    :raises MissingPackage: one is not there, or Keras runs on another backend.
    """
    missing = [n for n in _PACKAGES if n not in sys.modules and importlib.util.find_spec(n) is None]
    if missing:
        raise MissingPackage(f"{', '.join(missing)} needed to read this model", where=where, advice=_EXTRA)
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quietly(verbose=verbose), Attempt() as attempt:
        import keras
        import tensorflow as tf  # noqa: F401
        import tf2onnx  # noqa: F401
    if attempt.error is not None:
        raise MissingPackage("TensorFlow or Keras cannot be imported", why=reason(attempt.error), advice=_EXTRA)
    if keras.config.backend() != "tensorflow":
        raise MissingPackage(
            f"Keras runs on {keras.config.backend()} in this process, and is converted on TensorFlow", where=where,
            advice="set KERAS_BACKEND=tensorflow before keras is imported, or save the model and convert the file",
        )  # fmt: skip


def _open(source: Any, kind: str, options: LoadOptions, where: str) -> tuple[Any, tuple[str, ...]]:
    """What is to be called (a SavedModel's is its signature), and notes for the user."""
    from converters import saved_model

    if kind == SAVED_MODEL:
        is_path = isinstance(source, Path)
        return saved_model.open_saved_model(source, options) if is_path else saved_model.signature_of(source, where)
    return keras_files.open_file(source, kind, options) if isinstance(source, Path) else (source, ())


def _call(subject: Any, kind: str, options: LoadOptions, where: str) -> Call:
    """
    :raises BadInput, BadModel: its inputs.
    """
    from converters import keras_calls

    with Attempt() as attempt:
        if kind == SAVED_MODEL:
            call = keras_calls.from_signature(subject.function, options, where=where, order=subject.order)
        elif kind == FUNCTION:
            call = keras_calls.from_callable(subject, subject, options, where=where)
        else:
            call = keras_calls.from_model(subject, options, where=where)
    if attempt.error is not None:
        what = "the model's inputs cannot be found out"
        raise BadModel(what, where=where, why=reason(attempt.error)) from attempt.error
    strings = "cut the layers that read it off the model, and feed what they give"
    findings = tuple(
        Finding(f"input {n} has the dtype {d}", advice=strings if d == "string" else "use one of " + ", ".join(DTYPES))
        for n, d in zip(call.names, call.dtypes, strict=True)
        if d not in DTYPES
    )
    if findings:
        raise BadModel("the model's inputs cannot be used", where=where, findings=findings)
    return call


def _export(
    subject: Any, call: Call, kind: str, name: str, where: str, notes: tuple[str, ...], options: LoadOptions
) -> Loaded:
    from converters import keras_tracing, tf_keras_tracing
    from converters.tf_export import EXPORTER, OPSET, export

    @contextlib.contextmanager
    def tracing() -> Iterator[None]:
        with keras_tracing.tracing(), tf_keras_tracing.tracing(subject):
            yield

    examples = _examples(call, options, where)
    model = export(call, where=where, tracing=tracing, verbose=options.verbose)
    vet(model, where=where)
    run_checker(model, where=where)
    taken = {v.name for v in real_inputs(model)}
    unused = [f"the input {n} is not used and not an input of the ONNX model" for n in call.names if n not in taken]
    reference = KerasReference(
        _framework(subject), call, tuple(v.name for v in model.graph.output), keras_tracing.on_cpu
    )
    said = (*notes, *unused, *call.notes, f"exported by {EXPORTER}, opset {OPSET}")
    kept = tuple({n: a for n, a in e.items() if n in taken} for e in examples)
    return Loaded(model, "keras", kind, EXPORTER, name, said, reference, kept)


def _examples(call: Call, options: LoadOptions, where: str) -> tuple[dict[str, np.ndarray[Any, Any]], ...]:
    """The user's example inputs by name; none where a size was given that is not theirs.

    :raises BadInput: too many, too few, or of other shapes.
    """
    import numpy as np

    from converters.tf_structures import named_leaves

    if not options.example:
        return ()
    leaves = [(n, np.asarray(a)) for e in options.example for n, a in named_leaves(e, "")]
    if len(leaves) != len(call.names):
        own = f"the model's inputs are {', '.join(call.names)}"
        raise BadInput(f"the example has {len(leaves)} arrays for {len(call.names)} inputs", where=where, advice=own)
    named = dict(leaves) if {n for n, _ in leaves} == set(call.names) else dict(
        zip(call.names, (a for _, a in leaves), strict=True))  # fmt: skip
    wrong = [n for n, s in zip(call.names, call.shapes, strict=True) if not _fits(named[n].shape, s)]
    if wrong and options.batch is None and not options.inputs:
        findings = tuple(Finding(f"the example for {n} has the shape {list(named[n].shape)}") for n in wrong)
        raise BadInput("the example does not fit the model", where=where, findings=findings)
    return () if wrong else ({n: named[n].astype(d) for n, d in zip(call.names, call.dtypes, strict=True)},)


def _fits(sizes: tuple[int, ...], shape: tuple[int | str | None, ...]) -> bool:
    same = (not isinstance(want, int) or have == want for have, want in zip(sizes, shape, strict=False))
    return len(sizes) == len(shape) and all(same)


def _framework(subject: Any) -> str:
    import tensorflow as tf

    homes = (sys.modules[n] for n in ("keras", "tf_keras") if n in sys.modules)
    tensorflow = f"tensorflow {tf.__version__}"
    whose = (f"{h.__name__} {h.__version__} ({tensorflow})" for h in homes if isinstance(subject, h.layers.Layer))
    return next(whose, tensorflow)


class KerasReference:
    """The model's own answers, in evaluation mode, by the names of the ONNX model."""

    #: TensorFlow takes subnormal numbers for zeros.
    flushes = True

    def __init__(
        self,
        name: str,
        call: Call,
        outputs: tuple[str, ...],
        context: Callable[[], contextlib.AbstractContextManager[None]],
    ) -> None:
        """
        :param name: of the framework, with its version.
        :param outputs: names, in the order of the ONNX model.
        :param context: in which TensorFlow can run the model on a CPU.
        """
        self.name = name
        self._call, self._outputs, self._context = call, outputs, context

    def __call__(self, inputs: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
        """
        :param inputs: by name; those that the model does not use may be left out.
        :raises BadSamples: the model itself does not take them.
        """
        import numpy as np
        import tensorflow as tf

        call = self._call
        with quietly(), Attempt() as attempt, self._context():
            tensors = [
                tf.constant(inputs[n], d) if n in inputs else tf.zeros([i if isinstance(i, int) else 1 for i in s], d)
                for n, d, s in zip(call.names, call.dtypes, call.shapes, strict=True)
            ]
            found = call.run(tensors)
            return {n: np.asarray(found[n]) for n in self._outputs}
        raise BadSamples("the model itself does not run on these inputs", why=reason(attempt.error)) from attempt.error


frontend = KerasFrontend()
