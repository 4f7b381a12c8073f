"""Text and vectors into a ROOT file, by ROOT itself, in a process of its own: nothing else here imports it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from convert.errors import MissingPackage, WriteError
from convert.root_layout import ELEMENTS, INSTALL
from sofie_bridge.process import run_child
from sofie_bridge.root_install import python_has_root
from sofie_bridge.samples import Array

#: ROOT's number for an algorithm (2 LZMA, 5 ZSTD) times 100, plus the level. Text is smallest by LZMA. Weights
#: are no larger by ZSTD, and read many times as fast (bench/weights.py --compression).
TEXT, NUMBERS = 209, 505

_START = "import sys; sys.path.insert(0, sys.argv[1]); from sofie_bridge.root_file import main; main(sys.argv[2])"


def write_directory(file: Path, directory: str, objects: Mapping[str, str | Array]) -> None:
    """Write objects into a directory of a ROOT file, in place of what the directory held; all else in it stays.

    :param file: made if it is not there. It is written to in place: give a copy, and rename that.
    :param objects: by name, which may lead into subdirectories (``weights/tensor_x``): texts become ``TObjString``,
        one-dimensional arrays ``std::vector`` of their elements.
    :raises MissingPackage: this Python has no ROOT.
    :raises WriteError: ROOT's own words.
    """
    if not python_has_root():
        raise MissingPackage("ROOT is not installed, and writing a .root file needs it", advice=INSTALL)
    with TemporaryDirectory(prefix="sofie-root-") as name:
        folder = Path(name)
        entries = []
        for serial, (key, held) in enumerate(objects.items()):
            if isinstance(held, str):
                (folder / str(serial)).write_text(held, encoding="utf-8")
            else:
                (folder / str(serial)).write_bytes(np.ascontiguousarray(held).tobytes())
            entries.append([key, None if isinstance(held, str) else held.dtype.name])
        order = {
            "file": str(file.absolute()),
            "directory": directory,
            "entries": entries,
            "compression": [TEXT, NUMBERS],
        }
        (folder / "order.json").write_text(json.dumps(order))
        done = run_child(
            [sys.executable, "-W", "ignore", "-c", _START, str(Path(__file__).parents[1]), name],
            time_limit=900,
            env={"PYTHONSAFEPATH": "1"},
        )
        if done.returncode != 0 or not (folder / "done").exists():
            said = [line for line in done.stderr.strip().splitlines() if "Error" in line] or [done.signal_name or ""]
            raise WriteError("ROOT cannot write the .root file", where=str(file), why=said[-1])


def main(name: str) -> None:
    """The child: write what ``name``/order.json lists."""
    import ROOT

    folder = Path(name)
    order = json.loads((folder / "order.json").read_text())
    ROOT.gROOT.SetBatch(True)
    file = ROOT.TFile.Open(order["file"], "UPDATE")
    if not file or file.IsZombie():
        raise OSError(f"ROOT cannot open {order['file']}")
    top, directory = order["directory"].split("/")[0], order["directory"]
    text, numbers = order["compression"]
    if file.GetKey(top):
        file.rmdir(top)
    for serial, (key, dtype) in enumerate(order["entries"]):
        path, _, leaf = f"{directory}/{key}".rpartition("/")
        place = file.GetDirectory(path) or file.mkdir(path, "", True)
        file.SetCompressionSettings(text if dtype is None or dtype == "uint8" else numbers)
        if not _write(ROOT, place, leaf, (folder / str(serial)).read_bytes(), dtype):
            raise OSError(f"ROOT cannot write {key}")
    file.Close()
    (folder / "done").touch()


def _write(root: Any, place: Any, name: str, content: bytes, dtype: str | None) -> int:
    """The number of bytes that ROOT wrote; 0 where it did not."""
    if dtype is None:
        return int(place.WriteTObject(root.TObjString(content), name))
    array = np.frombuffer(content, np.dtype(dtype))
    vector = root.std.vector[ELEMENTS[dtype]](array.size)
    if array.size:
        np.asarray(vector)[:] = array
    return int(place.WriteObject(vector, name))
