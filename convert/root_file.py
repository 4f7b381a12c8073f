"""A model, its weights and its header as objects of a ROOT file, and the file that they are written into."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import numpy_helper

from convert.errors import ConvertError, WriteError
from convert.report import Report, finite
from convert.root_layout import FORMAT, HEADER, MODEL, RECORD, WEIGHTS
from converters.root_objects import models_in, open_file, read_objects
from rewrite.api import Rewritten
from sofie_bridge.emit import Emitted
from sofie_bridge.root_file import write_directory

if TYPE_CHECKING:
    from sofie_bridge.samples import Array

#: Attempts to add to a file that others add to at the same time.
TURNS = 8
#: Of the report, what is of one run and not of the model.
_PASSING = ("stages", "files", "latency", "peak_memory")


def objects_of(
    report: Report, rewritten: Rewritten, emitted: Emitted, tensors: Mapping[str, Array], *, build: str, header: bool
) -> dict[str, str | Array]:
    """What is written, by the names of :mod:`convert.root_layout`.

    :param emitted: its header as it is to be written. :param tensors: what the header's Session reads, flat.
    :param build: the SOFIE that wrote the header. :param header: whether the header's text is among the objects.
    """
    found: dict[str, str | Array] = {
        RECORD: json.dumps(_record(report, emitted, build), separators=(",", ":"), sort_keys=True),
        MODEL: np.frombuffer(_without_weights(rewritten.model, emitted, tensors).SerializeToString(), np.uint8),
    }
    if header:
        found[HEADER] = emitted.header.read_text()
    return found | {f"{WEIGHTS}/{name}": array for name, array in tensors.items()}


def _record(report: Report, emitted: Emitted, build: str) -> dict[str, Any]:
    told = {k: v for k, v in report.as_json().items() if k not in _PASSING}
    return {
        **finite(told),
        "format": FORMAT,
        "build": build,
        "weights": emitted.form,
        "digest": digest_of(emitted),
    }


def digest_of(emitted: Emitted) -> str:
    """SHA-256 of the weight file; "" where the weights are in the header or in a ROOT file."""
    if emitted.weights is None or emitted.form == "root":
        return ""
    return hashlib.sha256(emitted.weights.read_bytes()).hexdigest()


def _without_weights(model: onnx.ModelProto, emitted: Emitted, tensors: Mapping[str, Array]) -> onnx.ModelProto:
    """The model with references in place of those weights that the Session reads, bit for bit, from the same file."""
    light = onnx.ModelProto()
    light.CopyFrom(model)
    for weight in light.graph.initializer:
        name = f"tensor_{emitted.named.tensors.get(weight.name, '')}"
        if name in tensors and numpy_helper.to_array(weight).tobytes() == tensors[name].tobytes():
            kind, dims = weight.data_type, list(weight.dims)
            kept = onnx.TensorProto(name=weight.name, data_type=kind, dims=dims)
            kept.data_location = onnx.TensorProto.EXTERNAL
            kept.external_data.add(key="location", value=f"{WEIGHTS}/{name}")
            weight.CopyFrom(kept)
    return light


def check_place(file: Path, name: str) -> None:
    """Told before the long work: can a model of that name be written into the file?

    :raises WriteError: it is no ROOT file, or what it holds under the name is no model.
    """
    if not file.exists():
        return
    try:
        with open_file(file) as held:
            taken = name in held.keys(recursive=False, cycle=False) and name not in models_in(held)
    except ConvertError as error:
        if error.exit_code != 2 or not file.is_file():
            raise
        why = f"{error.finding.what} ({error.finding.why})"
        raise WriteError(f"cannot write into {file}", why=why, advice="give another --output") from error
    if taken:
        why = f"it holds {name}, which is no model of this program's"
        raise WriteError(f"cannot write into {file}", why=why, advice=f"give another name: --output {file}:NAME")


def filled(place: Path, name: str, objects: Mapping[str, str | Array], scratch: Path) -> Path:
    """A copy of the ROOT file ``place``, where there is one, with the objects in the directory ``name``, to be renamed.

    What was there under that name is replaced, all else stays. The objects were read again, by other code than wrote
    them, and are the same.

    :raises WriteError: ROOT's own words, or an object that does not come back.
    """
    for _ in range(TURNS):
        before = _state(place)
        scratch.unlink(missing_ok=True)
        if before:
            copyfile(place, scratch)
        write_directory(scratch, name, objects)
        if _state(place) == before:  # else another conversion has added a model in the meantime
            break
    else:
        raise WriteError(f"cannot write {place}", why="others write to it all the time", advice="try again")
    with open_file(scratch) as file:
        held = read_objects(file, name, scratch)
    wrong = sorted(n for n in objects.keys() | held.keys() if not _same(objects.get(n), held.get(n)))
    if wrong:
        raise WriteError(f"cannot write {place}", why=f"read again, these are not the same: {', '.join(wrong)}")
    return scratch


def _state(place: Path) -> tuple[int, ...]:
    """Which file is there, if any: it is replaced, not changed."""
    if not place.exists():
        return ()
    told = place.stat()
    return told.st_ino, told.st_mtime_ns, told.st_size


def _same(first: str | Array | None, second: str | Array | None) -> bool:
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return first.dtype == second.dtype and first.tobytes() == second.tobytes()
    return type(first) is type(second) and first == second
