"""Files that Keras and TensorFlow write: opened by Keras 3, by tf_keras where that cannot, or by TensorFlow itself."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.errors import BadModel, MissingPackage, UnsafeFile
from converters.base import LoadOptions
from converters.quiet import Attempt, reason

KERAS, HDF5, SAVED_MODEL, CONFIG = "Keras model (.keras)", "Keras model (.h5)", "TensorFlow SavedModel", "Keras JSON"

_HDF5 = b"\x89HDF\r\n\x1a\n"
#: What may stand in a configuration and runs when the model does: a function's bytes, and TensorFlow's file operators.
_CODE = ("Lambda", "__lambda__", "TFSMLayer")
_FILES = ("io.", "raw_ops.", "py_function", "numpy_function", "load_library")
#: Operators with which the graph of a SavedModel reaches outside of its numbers.
_REACHING = {
    "ReadFile", "WriteFile", "MatchingFiles", "PyFunc", "EagerPyFunc", "PyFuncStateless", "PrintV2", "FixedLengthRecordReaderV2",
    "TextLineReaderV2", "WholeFileReaderV2", "TFRecordReaderV2",
}  # fmt: skip


@dataclass(frozen=True)
class Opened:
    """:param subject: a Keras model or a SavedModel's signature. :param notes: sentences for the user."""

    subject: Any
    notes: tuple[str, ...] = ()


def sniff(head: bytes, path: Path) -> str | None:
    """The kind, by content; no framework is imported."""
    if path.is_dir():
        return SAVED_MODEL if (path / "saved_model.pb").is_file() else None
    if head.startswith(_HDF5):
        return HDF5
    if head.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as archive:
                return KERAS if {"config.json", "metadata.json"} <= set(archive.namelist()) else None
        except (zipfile.BadZipFile, OSError):
            return None
    if head.lstrip().startswith(b"{") and b'"class_name"' in head:
        return CONFIG
    return None


def open_file(path: Path, kind: str, options: LoadOptions) -> Opened:
    """
    :raises BadModel: damaged, without an architecture, or with classes that are not at hand.
    :raises UnsafeFile: it would run code, and ``allow_code`` is not given.
    :raises MissingPackage: tf_keras, for a file that Keras 3 does not read.
    """
    if kind == SAVED_MODEL:
        return _open_saved_model(path, options)
    import_custom(options)
    config = _config(path, kind)
    if not options.allow_code:
        _refuse_code(config, path)
    if kind == CONFIG:
        return _from_config(path, options)
    return _load(path, config, options)


def import_custom(options: LoadOptions) -> None:
    """Modules whose classes Keras is to know: their own registration, or the names of their layers and functions."""
    from converters.factory import import_home

    for name in options.custom_objects:
        import_home(name)


def _objects(options: LoadOptions) -> dict[str, Any]:
    """Classes and functions of the user's modules, by their names."""
    from converters.factory import import_home

    found: dict[str, Any] = {}
    for name in options.custom_objects:
        module = import_home(name)
        found.update({n: v for n, v in vars(module).items() if callable(v) and not n.startswith("_")})
    return found


# ------------------------------------------------------------------------------------ .keras, .h5, JSON


def _config(path: Path, kind: str) -> Any:
    """The architecture as Keras writes it.

    :raises BadModel: there is none.
    """
    with Attempt() as attempt:
        if kind == KERAS:
            with zipfile.ZipFile(path) as archive:
                return json.loads(archive.read("config.json"))
        if kind == CONFIG:
            return json.loads(path.read_text())
        import h5py

        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
            if text is None:
                weights = {"layer_names", "keras_version"} & set(file.attrs) or {"layers", "_layer_checkpoint_dependencies", "vars"} & set(file)
                raise BadModel(
                    "the file holds weights and no architecture" if weights else "the HDF5 file is not of Keras",
                    where=str(path),
                    advice="give the file that model.save wrote, or the architecture as JSON "
                    "(model.to_json()) with --params " + str(path) if weights else "",
                )
            return json.loads(text)
    raise BadModel("the model's configuration cannot be read: damaged?", where=str(path), why=reason(attempt.error))


def _refuse_code(config: Any, path: Path) -> None:
    names = list(dict.fromkeys(_code_inside(config)))
    if names:
        raise UnsafeFile(
            f"the model holds Python code, which would run: {', '.join(names)}",
            where=str(path),
            advice="if you trust the file, give --allow-code; better, write the layer as a class and name its module "
            "with --custom-objects package.module",
        )


def _code_inside(config: Any) -> Iterator[str]:
    stack = [config]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict):
            stack.extend(item.values())
            kind = item.get("class_name")
            inner = item.get("config")
            if kind in _CODE:
                named = inner.get("name", "") if isinstance(inner, dict) else ""
                yield f"{kind} {named}".strip()
            elif kind == "TFOpLambda" and isinstance(inner, dict) and str(inner.get("function", "")).startswith(_FILES):
                yield f"TFOpLambda {inner['function']}"


def _load(path: Path, config: Any, options: LoadOptions) -> Opened:
    import keras

    objects = _objects(options)
    with _as_suffix(path, config) as named:
        with Attempt() as attempt:
            return Opened(keras.saving.load_model(named, custom_objects=objects, compile=False, safe_mode=not options.allow_code))
        first = attempt.error
        if importlib.util.find_spec("tf_keras") is None:
            if _is_keras2(config):
                raise MissingPackage(
                    "this file of Keras 2 needs tf_keras", where=str(path), why=reason(first),
                    advice="pip install --no-deps tf-keras==2.21.0",
                ) from first  # fmt: skip
            raise _unread(first, path)
        import tf_keras

        with Attempt() as attempt:
            model = tf_keras.models.load_model(named, custom_objects=objects, compile=False, safe_mode=not options.allow_code)
            return Opened(model, ("the file is of Keras 2: opened by tf_keras",))
    raise _unread(attempt.error if _is_keras2(config) else first, path)


def _unread(error: BaseException | None, path: Path) -> BadModel:
    text = str(error)
    unknown = "Could not locate" in text or "Unknown layer" in text or "Unknown" in text and "custom_objects" in text
    return BadModel(
        "the model has a class that is not known here" if unknown else "Keras cannot open the model",
        where=str(path),
        why=reason(error),
        advice="name the module that defines it: --custom-objects package.module" if unknown else "",
    )


def _is_keras2(config: Any) -> bool:
    """Keras 3 writes the module of each class; Keras 2 wrote `keras.src` modules or none."""
    return "DTypePolicy" not in json.dumps(config)


class _as_suffix:  # noqa: N801 - reads as a statement
    """Keras goes by the suffix: a link with the right one where the file's own is another."""

    def __init__(self, path: Path, config: Any) -> None:
        self.path = path

    def __enter__(self) -> str:
        import tempfile

        wanted = ".keras" if zipfile.is_zipfile(self.path) else ".h5"
        self.folder = tempfile.TemporaryDirectory(prefix="keras-")
        if self.path.suffix == wanted:
            return str(self.path)
        link = Path(self.folder.name) / f"{self.path.stem}{wanted}"
        link.symlink_to(self.path.resolve())
        return str(link)

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()


def _from_config(path: Path, options: LoadOptions) -> Opened:
    """A JSON configuration, with the weights of --params."""
    if options.params is None:
        raise BadModel(
            "the file holds an architecture and no weights", where=str(path),
            advice="give the weights with --params model.weights.h5",
        )  # fmt: skip
    import keras

    text, objects = path.read_text(), _objects(options)
    makers: list[tuple[str, Any]] = [("keras", keras.models.model_from_json)]
    if importlib.util.find_spec("tf_keras") is not None:
        import tf_keras

        makers.append(("tf_keras", tf_keras.models.model_from_json))
    errors = []
    for name, make in makers:
        with Attempt() as attempt:
            model = make(text, custom_objects=objects)
            model.load_weights(str(options.params))
            return Opened(model, ("the configuration is of Keras 2: opened by tf_keras",) if name == "tf_keras" else ())
        errors.append(attempt.error)
    raise BadModel(
        "the weights do not fit the configuration, or one of them cannot be read",
        where=str(path), why=reason(errors[0]), advice=f"are the weights those of {options.params}?",
    )  # fmt: skip


# ------------------------------------------------------------------------------------ SavedModel


def _open_saved_model(path: Path, options: LoadOptions) -> Opened:
    import tensorflow as tf

    with Attempt() as attempt:
        loaded = tf.saved_model.load(str(path))
    if attempt.error is not None:
        raise BadModel("TensorFlow cannot open the SavedModel", where=str(path), why=reason(attempt.error))
    signatures = dict(loaded.signatures)
    for name in ("serving_default", "serve", *signatures):
        if name in signatures:
            break
    else:
        raise BadModel(
            "the SavedModel has no signature to call", where=str(path),
            advice="save it with tf.saved_model.save(module, folder, signatures=...), or with model.export(folder)",
        )  # fmt: skip
    function = signatures[name]
    if not options.allow_code:
        reaching = sorted({n.type for n in _operators(function)} & _REACHING)
        if reaching:
            raise UnsafeFile(
                f"the SavedModel's graph reaches outside of its numbers: {', '.join(reaching)}", where=str(path),
                advice="if you trust the folder, give --allow-code",
            )  # fmt: skip
    function._converter_keeps = loaded  # the variables live as long as what was loaded
    others = [n for n in signatures if n not in (name, "__saved_model_init_op")]
    return Opened(function, (f"the signature {name} is taken; others: {', '.join(others)}",) if others else ())


def _operators(function: Any) -> Iterator[Any]:
    yield from function.graph.get_operations()
    for definition in function.graph.as_graph_def().library.function:
        for node in definition.node_def:
            yield type("Operator", (), {"type": node.op})

