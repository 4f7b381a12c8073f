"""Inputs in ``.npz`` files: a user's, which are one set, and those that ``--keep`` writes, which are several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from convert.errors import BadSamples
from sofie_bridge.samples import Array, Arrays

#: The member of a file of several sets that names them; the arrays of set k are "k:name".
_SETS = "sofie_convert:sets"


def write_sets(path: Path, sets: Sequence[tuple[str, Arrays]]) -> None:
    """Write sets of inputs, by their names."""
    arrays: dict[str, Array] = {
        f"{k}:{n}": np.asarray(a) for k, (_, given) in enumerate(sets) for n, a in given.items()
    }
    with path.open("wb") as file:
        np.savez_compressed(file, **{_SETS: np.array([name for name, _ in sets], dtype=np.str_)}, **arrays)  # type: ignore[arg-type]


def read_sets(path: Path) -> list[tuple[str, Arrays]]:
    """The sets of a file, each with its name. A file of one array per input is one set, of the file's name.

    :raises BadSamples: the file cannot be read.
    """
    try:
        with path.open("rb") as file:  # numpy leaves a file open that it cannot read
            data = np.load(file, allow_pickle=False)
            if isinstance(data, np.ndarray):
                raise ValueError("it holds one array, without a name")
            arrays = {name: data[name] for name in data.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        advice = "write them with numpy.savez"
        raise BadSamples(f"cannot read inputs from {path}", why=str(error), advice=advice) from error
    if _SETS not in arrays:
        return [(path.name, arrays)]
    names = [str(n) for n in arrays.pop(_SETS)]
    return [
        (name, {n.partition(":")[2]: a for n, a in arrays.items() if n.partition(":")[0] == str(k)})
        for k, name in enumerate(names)
    ]
