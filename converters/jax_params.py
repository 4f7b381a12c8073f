"""Files of parameters, as JAX's libraries write them, read as nests of numpy arrays."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from convert.errors import BadModel, UnknownFile, UnsafeFile
from converters.base import LoadOptions
from converters.quiet import Attempt, reason

#: What Orbax leaves in the folder of a checkpoint.
_ORBAX = "_METADATA"
#: Entries of a checkpoint with several, the likelier first.
_ITEMS = ("default", "params", "state", "model", "items")
_ADVICE = "give an Orbax folder, or a file of flax.serialization (msgpack), safetensors, .npz or Equinox (.eqx)"


def is_checkpoint(path: Path) -> bool:
    """Is this the folder of an Orbax checkpoint, or one with a folder for each step?"""
    return path.is_dir() and _checkpoint_in(path) is not None


def read_params(path: Path, options: LoadOptions) -> tuple[Any, tuple[str, ...]]:
    """The nest of arrays in a file or folder, and notes; of an Equinox file its path, as it says no names.

    :raises UnknownFile: not there, or of no kind that is read.
    :raises UnsafeFile: a pickle, and ``allow_code`` is not given.
    :raises BadModel: damaged.
    """
    where = str(path)
    if not path.exists():
        raise UnknownFile("there is no such file or folder of parameters", where=where, advice=_ADVICE)
    read, notes = _reader(path, options)
    with Attempt() as attempt:
        return read(path), notes
    what = "the parameters cannot be read: damaged?"
    raise BadModel(what, where=where, why=reason(attempt.error), advice=_ADVICE) from attempt.error


def _reader(path: Path, options: LoadOptions) -> tuple[Callable[[Path], Any], tuple[str, ...]]:
    if path.is_dir():
        found = _checkpoint_in(path)
        if found is None:
            raise UnknownFile("the folder is no Orbax checkpoint", where=str(path),
                              why=f"neither it nor a step in it has a file {_ORBAX}", advice=_ADVICE)  # fmt: skip
        notes = (f"the parameters are those of {found.relative_to(path)}",) if found != path else ()
        return lambda _: _read_orbax(found), notes
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        raise UnknownFile("the file of parameters is empty", where=str(path))
    if head.startswith(b"\x80") and len(head) > 1:  # alone, it is an empty map of msgpack
        return _read_pickle(path, options), ()
    if head.startswith(b"PK") and zipfile.is_zipfile(path):
        return _read_npz, ()
    if head.startswith(b"\x93NUMPY"):
        return lambda p: p, ()
    return (_read_safetensors if head[8:9] == b"{" else _read_msgpack), ()


def _checkpoint_in(path: Path) -> Path | None:
    """The folder itself, its newest step, or the first entry of either."""
    if (path / _ORBAX).is_file():
        return path
    inner = [p for p in path.iterdir() if p.is_dir()]
    items = [path / name for name in _ITEMS if (path / name / _ORBAX).is_file()]
    items += sorted(p for p in inner if (p / _ORBAX).is_file() and p.name not in _ITEMS and not _is_step(p))
    if items:
        return items[0]
    steps = sorted((p for p in inner if _is_step(p)), key=_step)
    return _checkpoint_in(steps[-1]) if steps else None


def _is_step(path: Path) -> bool:
    return re.fullmatch(r"(\w+_)?\d+", path.name) is not None


def _step(path: Path) -> int:
    return int(path.name.rpartition("_")[2])


def _read_orbax(path: Path) -> Any:
    """As numpy arrays: a checkpoint may come from devices that are not here."""
    import jax
    import numpy as np
    import orbax.checkpoint as ocp

    checkpointer = ocp.PyTreeCheckpointer()
    tree = checkpointer.metadata(path.resolve())
    tree = getattr(getattr(tree, "item_metadata", tree), "tree", tree)
    wanted = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
    return checkpointer.restore(path.resolve(), restore_args=wanted)


def _read_msgpack(path: Path) -> Any:
    from flax import serialization

    return serialization.msgpack_restore(path.read_bytes())


def _read_pickle(path: Path, options: LoadOptions) -> Callable[[Path], Any]:
    if not options.allow_code:
        raise UnsafeFile("the file of parameters is a pickle, which runs code when it is opened", where=str(path),
                         advice="add --allow-pickle if you trust it, or save the parameters with "
                                "flax.serialization.to_bytes")  # fmt: skip

    def read(found: Path) -> Any:
        with found.open("rb") as file:
            return pickle.load(file)

    return read


def _read_npz(path: Path) -> Any:
    import numpy as np

    with np.load(path, allow_pickle=False) as file:
        return nested({name: file[name] for name in file.files})


def _read_safetensors(path: Path) -> Any:
    from safetensors.flax import load_file

    return nested(load_file(path))


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """A nest of dicts, from names with slashes, or else with dots.

    >>> nested({"params/Dense_0/bias": 1, "params/Dense_0/kernel": 2})
    {'params': {'Dense_0': {'bias': 1, 'kernel': 2}}}
    """
    mark = "/" if any("/" in name for name in flat) else "."
    nest: dict[str, Any] = {}
    for name, value in flat.items():
        *parts, last = name.split(mark)
        inner = nest
        for part in parts:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return nest
