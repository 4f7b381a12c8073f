"""What a Keras configuration would run, or import, if it were opened: looked at before Keras sees it.

The ``safe_mode`` of tf_keras does not cover legacy .h5 files, and it imports whatever module a file names.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from convert.errors import BadModel, Finding, UnsafeFile
from converters.base import LoadOptions
from converters.factory import import_home

#: Layers that hold a graph of TensorFlow's, or read one from another place.
_GRAPHS = ("TFSMLayer", "TensorFlowOpLayer")
#: Layers that call a symbol of TensorFlow's, and where its name stands.
_SYMBOLS = {"TFOpLambda": "function", "SlicingOpLambda": "function", "ClassMethod": "cls_symbol"}
#: Modules of TensorFlow whose symbols compute, and nothing else.
_COMPUTING = (
    "__operators__", "bitwise", "image", "keras.activations", "keras.backend", "linalg", "math", "nn", "signal",
)  # fmt: skip
#: Symbols at TensorFlow's top level that do more.
_REACHING = ("function", "load_library", "load_op_library", "numpy_function", "print", "py_function")
#: A specification of a tensor: a class that is imported too.
_SPEC = "__typespec__"
_OWN_MODULES = ("builtins", "keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras")


def custom_objects(options: LoadOptions) -> dict[str, Any]:
    """Classes and functions of the user's modules, by their names; importing a module registers what registers itself.

    :raises BadModel: a module that cannot be imported.
    """
    found: dict[str, Any] = {}
    for name in options.custom_objects:
        module = import_home(name)
        found.update(_public(module))
    return found


def _public(module: ModuleType) -> dict[str, Any]:
    """Of the module's own package: what it imported from elsewhere is not the user's to give."""
    members = [(n, v) for n, v in vars(module).items() if inspect.isclass(v) or inspect.isfunction(v)]
    home = module.__name__.split(".")[0]
    return {n: v for n, v in members if not n.startswith("_") and str(v.__module__).split(".")[0] == home}


def refuse_code(config: Any, path: Path) -> None:
    """
    :raises UnsafeFile: code inside the file, or what reaches outside of it.
    """
    code = tuple(map(Finding, dict.fromkeys(text for item in _items(config) for text in _code(item))))
    if code:
        raise UnsafeFile(
            "the model holds code, which would run when it is opened", where=str(path), findings=code,
            advice="if you trust the file, give --allow-code; "
            "better, write the layer as a class and name its module with --custom-objects package.module",
        )  # fmt: skip


def refuse_unknown(config: Any, modules: Sequence[str], objects: Mapping[str, Any], path: Path) -> None:
    """
    :param modules: the user's, :param objects: with their classes and functions.
    :raises BadModel: classes of modules that are neither Keras's nor the user's.
    """
    unknown = dict.fromkeys(text for item in _items(config) for text in _unknown(item, modules, objects))
    if unknown:
        raise unknown_classes(list(unknown), path)


def refuse_outside(source: Any, path: Path) -> None:
    """
    :param source: the name of an HDF5 file, or an open one.
    :raises UnsafeFile: it takes data from other files.
    """
    import h5py

    with h5py.File(source, "r") as file:
        found = tuple(Finding(f"the data of {name}") for name in _outside(file))
    if found:
        advice = "copy the data into the file: h5repack, or load the model in Keras and save it again"
        raise UnsafeFile("the model takes data from other files", where=str(path), advice=advice, findings=found)


def _outside(group: Any) -> Iterator[str]:
    import h5py

    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            yield f"{group.name.rstrip('/')}/{name}"
        elif isinstance(link, h5py.HardLink):
            item = group[name]
            if isinstance(item, h5py.Group):
                yield from _outside(item)
            elif isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
                yield str(item.name)


def unknown_classes(names: Sequence[str], path: Path, why: str = "") -> BadModel:
    """The error for classes or functions that are not at hand."""
    return BadModel(
        "the model has classes or functions that are not known here", where=str(path), why=why,
        advice="name the module that defines them: --custom-objects package.module (it is imported, so its code runs)",
        findings=tuple(map(Finding, names)),
    )  # fmt: skip


def _items(config: Any) -> Iterator[dict[str, Any]]:
    """Every dict inside, without what is for training only."""
    stack = [config]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(reversed(item))
        elif isinstance(item, dict):
            yield item
            stack.extend(v for k, v in reversed(item.items()) if k != "compile_config")


def _code(item: dict[str, Any]) -> Iterator[str]:
    kind, inner = item.get("class_name"), item.get("config")
    settings = inner if isinstance(inner, dict) else {}
    title = f"{kind} {settings.get('name', '')}".strip()
    if kind == "__lambda__":
        yield "a lambda: Python bytecode"
    elif kind == "Lambda" and any(map(_is_bytecode, settings.values())):
        yield f"the layer {title}: Python bytecode"
    elif kind in _GRAPHS:
        yield f"the layer {title}: a TensorFlow graph"
    elif kind in _SYMBOLS and not _computes(str(settings.get(_SYMBOLS[kind]))):
        yield f"the layer {title}: tf.{settings.get(_SYMBOLS[kind])}"
    elif kind == "function" and "." in str(inner):
        yield f"the function {inner}"


def _is_bytecode(value: Any) -> bool:
    """As Keras 3 writes it, or Keras 2: code, defaults, closure."""
    if isinstance(value, dict):
        return value.get("class_name") == "__lambda__"
    return isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)


def _computes(symbol: str) -> bool:
    symbol = symbol.removeprefix("compat.v1.")
    module, dot, _ = symbol.rpartition(".")
    return module in _COMPUTING if dot else symbol not in _REACHING


def _unknown(item: dict[str, Any], modules: Sequence[str], objects: Mapping[str, Any]) -> Iterator[str]:
    """Classes and functions of others' modules. Legacy files have no modules: there Keras itself knows its classes."""
    kind, module = item.get("class_name"), item.get("module", "keras")
    if not isinstance(kind, str) or "config" not in item or (kind.startswith("__") and kind != _SPEC):
        return
    name = str({"function": item["config"], _SPEC: item.get("spec_name")}.get(kind, kind))
    # As Keras looks it up. What it does not find so, it takes from the module, which it imports.
    registered = name if kind == "function" else item.get("registered_name", kind)
    if registered in objects or _is_registered(registered):
        return
    if module is None:
        yield f"{name}, registered as {registered}" if registered != name else name
    elif not _within(str(module), (*_OWN_MODULES, *(["tensorflow"] if kind == _SPEC else []), *modules)):
        yield f"{name} of the module {module}"


def _within(module: str, homes: Sequence[str]) -> bool:
    return any(module == home or module.startswith(f"{home}.") for home in homes)


def _is_registered(name: str | None) -> bool:
    """By Keras 3's decorator, or by tf_keras's."""
    homes = [sys.modules[n] for n in ("keras", "tf_keras") if n in sys.modules]
    return any(keras.saving.get_registered_object(name) is not None for keras in homes)
