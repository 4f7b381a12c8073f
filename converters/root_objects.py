"""Texts and vectors in a ROOT file, read by uproot: without ROOT."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.errors import BadModel, MissingPackage
from convert.root_layout import ELEMENTS, INSTALL, RECORD
from converters.quiet import Attempt, reason

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_VECTOR = re.compile(r"(?:std::)?vector<([\w ]+)>")
#: numpy dtypes by the elements of vectors; other spellings of one type too.
_DTYPES = {element: dtype for dtype, element in ELEMENTS.items()} | {"long": "int64", "unsigned long": "uint64"}


def open_file(path: Path) -> Any:
    """The file as uproot has it, a context manager.

    :raises MissingPackage: uproot is not installed.
    :raises BadModel: it is truncated or damaged.
    """
    try:
        import uproot
    except ImportError as error:
        raise MissingPackage("uproot is needed to read a .root file", advice=INSTALL, why=str(error)) from error
    with Attempt() as attempt:  # whatever uproot meets in a damaged file
        return uproot.open(path, object_cache=None, array_cache=None)
    raise _damaged(path, attempt.error)


def models_in(file: Any) -> tuple[str, ...]:
    """Names of the models in an open file: of its directories that hold a record."""
    directories = (k for k, c in file.classnames(recursive=False, cycle=False).items() if c.startswith("TDirectory"))
    return tuple(name for name in directories if RECORD in file[name].keys(recursive=False, cycle=False))


def read_objects(file: Any, directory: str, path: Path) -> dict[str, str | Array]:
    """All texts and vectors of a directory and of those in it, by names such as ``weights/tensor_x``, in their order.

    :param file: open. :param path: for errors.
    :raises BadModel: an object is damaged, or of another class.
    """
    with Attempt() as attempt:
        held = file[directory]
        return {
            name: _read(held, name, kind)
            for name, kind in held.classnames(cycle=False).items()
            if not kind.startswith("TDirectory")
        }
    raise _damaged(path, attempt.error)


def _read(directory: Any, name: str, kind: str) -> str | Array:
    if kind == "TObjString":
        return str(directory[name])
    match = _VECTOR.fullmatch(kind)
    if match is None or match[1] not in _DTYPES:
        raise BadModel(f"{name} in the .root file is a {kind}", advice="write the file again with --to root")
    return _vector(directory, name, _DTYPES[match[1]])


def _vector(directory: Any, name: str, dtype: str) -> Array:
    """The bytes themselves: uproot 5.7 does not make an array of a vector that is no branch of a tree."""
    import numpy as np

    chunk, _ = directory.key(name).get_uncompressed_chunk_cursor()
    content = bytes(chunk.raw_data)
    count = int.from_bytes(content[:4], "big")
    return np.frombuffer(content, np.dtype(dtype).newbyteorder(">"), count, 4).astype(dtype)


def contents(file: Any) -> str:
    """What a file holds, for an error: ``Events (TTree), h1 (TH1D)``."""
    held = [f"{name} ({kind})" for name, kind in file.classnames(recursive=False, cycle=False).items()]
    more = f" and {len(held) - 8} more" if len(held) > 8 else ""
    return ", ".join(held[:8]) + more if held else "nothing"


def _damaged(path: Path, error: BaseException | None) -> BadModel:
    return BadModel("the ROOT file is truncated or damaged", where=str(path), why=reason(error), advice="copy it again")
