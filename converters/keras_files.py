"""Files that Keras writes: opened by Keras 3, or by tf_keras where that cannot."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.errors import BadModel, MissingPackage
from converters.base import LoadOptions
from converters.keras_safety import custom_objects, refuse_code, refuse_outside, refuse_unknown, unknown_classes
from converters.quiet import Attempt, reason

KERAS, HDF5, SAVED_MODEL, CONFIG = "Keras model (.keras)", "Keras model (.h5)", "TensorFlow SavedModel", "Keras JSON"

_HDF5 = b"\x89HDF\r\n\x1a\n"
#: What an HDF5 file of weights has at its top, in Keras 2 and in Keras 3.
_WEIGHTS = {"layer_names", "keras_version", "layers", "vars", "_layer_checkpoint_dependencies"}
#: How Keras says that it does not know a class or a function.
_UNKNOWN = ("Could not locate", "Unknown layer", "custom_objects", "register_keras_serializable")
_TF_KERAS = "pip install --no-deps tf-keras==2.21.0"


@dataclass(frozen=True)
class Architecture:
    """A model's configuration as Keras writes it, and the version of Keras that did; "" where it does not say."""

    config: Any
    version: str = ""

    @property
    def is_keras3(self) -> bool:
        return self.version.startswith("3") or (not self.version and "DTypePolicy" in json.dumps(self.config))


def sniff(head: bytes, path: Path) -> str | None:
    """The kind, by content; no framework is imported."""
    if path.is_dir():
        return SAVED_MODEL if (path / "saved_model.pb").is_file() else None
    if head.startswith(_HDF5):
        return HDF5
    if head.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as archive:
                return KERAS if "config.json" in archive.namelist() else None
        except (zipfile.BadZipFile, OSError):
            return None
    return CONFIG if head.lstrip().startswith(b"{") and b'"class_name"' in head else None


def open_file(path: Path, kind: str, options: LoadOptions) -> tuple[Any, tuple[str, ...]]:
    """The Keras model in the file, and notes for the user.

    :raises BadModel: damaged, without an architecture or weights, or with classes that are not at hand.
    :raises UnsafeFile: it would run code, and ``allow_code`` is not given.
    :raises MissingPackage: tf_keras, for a file that Keras 3 does not read.
    """
    read = {KERAS: _read_archive, HDF5: _read_hdf5, CONFIG: _read_json}[kind]
    with Attempt() as attempt:
        found = read(path)
    if attempt.error is not None:
        what = "the model's configuration cannot be read: damaged?"
        raise BadModel(what, where=str(path), why=reason(attempt.error)) from attempt.error
    if not options.allow_code:
        refuse_code(found.config, path)
    objects = custom_objects(options)
    refuse_unknown(found.config, options.custom_objects, objects, path)
    if kind == CONFIG:
        advice = f"are the weights in {options.params} those of this model?"
        return _opened(found, path, lambda keras: _from_json(keras, path, options, objects), advice)
    with _named(path, ".keras" if kind == KERAS else ".h5") as name:
        given = {"custom_objects": objects, "compile": False, "safe_mode": not options.allow_code}
        return _opened(found, path, lambda keras: keras.models.load_model(name, **given))


def _opened(
    found: Architecture, path: Path, load: Callable[[Any], Any], advice: str = ""
) -> tuple[Any, tuple[str, ...]]:
    """By Keras 3, and a file of Keras 2 else by tf_keras: that opens no file of Keras 3."""
    import keras

    with Attempt() as attempt:
        return load(keras), ()
    if not found.is_keras3:
        first = attempt.error
        if importlib.util.find_spec("tf_keras") is None:
            what = f"this file of Keras {found.version or 2} needs tf_keras"
            raise MissingPackage(what, where=str(path), why=reason(first), advice=_TF_KERAS) from first
        import tf_keras

        with Attempt() as attempt:
            return load(tf_keras), (f"the file is of Keras {found.version or 2}: opened by tf_keras",)
    if any(words in str(attempt.error) for words in _UNKNOWN):
        raise unknown_classes((), path, why=reason(attempt.error)) from attempt.error
    what = "Keras cannot open the model"
    raise BadModel(what, where=str(path), why=reason(attempt.error), advice=advice) from attempt.error


def _read_archive(path: Path) -> Architecture:
    with zipfile.ZipFile(path) as archive:
        lost = {"config.json", "metadata.json", "model.weights.h5"} - set(archive.namelist())
        if lost:
            raise BadModel(
                "the zip archive is no Keras model", where=str(path), why=f"it has no {', '.join(sorted(lost))}"
            )
        with archive.open("model.weights.h5") as weights:
            refuse_outside(weights, path)
        metadata = json.loads(archive.read("metadata.json"))
        return Architecture(json.loads(archive.read("config.json")), str(metadata.get("keras_version", "")))


def _read_hdf5(path: Path) -> Architecture:
    import h5py

    refuse_outside(path, path)
    with h5py.File(path, "r") as file:
        text = file.attrs.get("model_config")
        if text is not None:
            return Architecture(json.loads(text), _text(file.attrs.get("keras_version", "")))
        weights = _WEIGHTS & (set(file.attrs) | set(file))
    if not weights:
        raise BadModel("the HDF5 file is not of Keras", where=str(path), advice="give a file that model.save wrote")
    raise BadModel(
        "the file holds weights and no architecture", where=str(path),
        advice=f"give the file that model.save wrote, or model.to_json() as a file with --params {path.name}",
    )  # fmt: skip


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _read_json(path: Path) -> Architecture:
    config = json.loads(path.read_text(encoding="utf-8"))
    return Architecture(config, str(config.get("keras_version", "")))


def _from_json(keras: Any, path: Path, options: LoadOptions, objects: dict[str, Any]) -> Any:
    """A model of a configuration, with the weights of --params.

    :raises BadModel: there are none, or they are those of another model.
    """
    params = options.params
    if params is None:
        advice = "give the weights with --params model.weights.h5"
        raise BadModel("the file holds an architecture and no weights", where=str(path), advice=advice)
    if not params.is_file():
        raise BadModel("there is no such file of weights", where=str(params))
    if params.suffix in (".h5", ".hdf5"):
        refuse_outside(params, params)
    with keras.utils.custom_object_scope(objects):
        model = keras.models.model_from_json(path.read_text(encoding="utf-8"), custom_objects=objects)
    model.load_weights(str(params))
    return model


@contextlib.contextmanager
def _named(path: Path, suffix: str) -> Iterator[str]:
    """Keras goes by the suffix: a link with the right one, where the file's own is another."""
    if path.suffix == suffix:
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="sofie-convert-") as folder:
        link = Path(folder) / f"{path.stem}{suffix}"
        link.symlink_to(path.resolve())
        yield str(link)
