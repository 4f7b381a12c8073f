"""Model file in, ONNX and the framework's own answers out. Importing this imports no framework."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from convert.errors import UnknownFile, UsageError
from convert.spec import Factory, Inside
from converters import factory
from converters.base import Frontend, Loaded, LoadOptions
from converters.sniff import sniff_file
from converters.translations import of_the_users

__all__ = ["Frontend", "LoadOptions", "Loaded", "frontends", "load"]

#: Modules with a ``frontend``, asked in this order: a Keras model on the torch backend is an ``nn.Module`` too, and to
#: JAX any function may be one of its own. A new front end is a file and a line here.
_MODULES = (
    "converters.from_onnx", "converters.from_root", "converters.from_keras", "converters.from_torch",
    "converters.from_jax",
)  # fmt: skip


def frontends() -> tuple[Frontend, ...]:
    """All front ends.

    :raises UsageError: two of them have one name.
    """
    found: dict[str, Frontend] = {}
    for module in _MODULES:
        frontend: Frontend = import_module(module).frontend
        if frontend.name in found:
            raise UsageError(f"two front ends are named {frontend.name!r}", where=module)
        found[frontend.name] = frontend
    return tuple(found.values())


def load(source: str | os.PathLike[str] | Any, options: LoadOptions | None = None) -> Loaded:
    """Read a model file, or take a model in memory, and give it as ONNX.

    :param source: a path, a :class:`convert.spec.Factory`, a :class:`convert.spec.Inside`, or a model
        (``onnx.ModelProto``, ``keras.Model``, ...).
    :raises convert.errors.LoadError: see the tree in :mod:`convert.errors`.
    """
    options = options or LoadOptions()
    with of_the_users(options.translations):
        return _load(factory.build(source.spec) if isinstance(source, Factory) else source, options)


def _load(source: str | os.PathLike[str] | Any, options: LoadOptions) -> Loaded:
    known = frontends()
    if isinstance(source, Inside):
        return _load_file(source.file, known, replace(options, model=source.name))
    if isinstance(source, (str, os.PathLike)):
        path = Path(source).expanduser()
        return _load_file(path, known, options)
    for frontend in known:
        kind = frontend.sniff_object(source)
        if kind is not None:
            return frontend.load(source, kind, options)
    raise UnknownFile(
        f"an object of class {type(source).__module__}.{type(source).__qualname__} is no model that is known here",
        advice="give a path, or one of: " + ", ".join(k for f in known for k in f.kinds),
    )


def _load_file(path: Path, known: Sequence[Frontend], options: LoadOptions) -> Loaded:
    frontend, kind = sniff_file(path, known)
    return frontend.load(path, kind, options)
