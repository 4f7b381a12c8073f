"""Where the weights are, and what it costs: ``python bench/weights.py [NAME ...]``; or ``--compression [NAME ...]``.

Size of the weights in SOFIE's text file, in the header, in a safetensors file and in a ROOT file; and how long a
Session takes to be made, in C++, one form after the other in one run, each in a process of its own: the first of the
process (with the file in the system's cache; ROOT starts its interpreter then), and the best of several after it.
"archive" is what ``--to root`` writes: model, weights and header in one file. The models are the fixtures, and
ResNet-18 of ``bench/models.py``. Nothing of it calls a BLAS; what core that would be for is printed all the same.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

#: This slows OpenBLAS down threefold where it names another processor than the one at hand.
os.environ.pop("OPENBLAS_CORETYPE", None)

FORMS: tuple[Any, ...] = ("file", "embed", "safetensors", "root")
#: Bytes of weights from which on compilers take minutes for a header that holds them.
TOO_LARGE_TO_EMBED = 4 << 20
#: Sessions made after the first.
TURNS = 5
#: ROOT's numbers: none, ZLIB 1, LZMA 7, LZ4 4, ZSTD 5.
COMPRESSIONS = {0: "none", 101: "ZLIB 1", 207: "LZMA 7", 404: "LZ4 4", 505: "ZSTD 5"}

_SOURCE = """
#include "{header}"
#include <chrono>
extern "C" __attribute__((visibility("default"))) double make(const char *weights) {{
  (void)weights;
  auto start = std::chrono::steady_clock::now();
  {{ {namespace}::Session session({arguments}); }}
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}}
"""


@dataclass(frozen=True)
class Made:
    """One form of one model. :param size: bytes of the weights. :param first: seconds of the first Session."""

    size: int
    header: int
    first: float
    best: float


def sources(folder: Path, wanted: list[str]) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Model and options by name; ResNet-18 as a state dict in ``folder``."""
    catalogue = tomllib.loads((ROOT / "fixtures" / "fixtures.toml").read_text())
    found: dict[str, tuple[Any, dict[str, Any]]] = {n: (ROOT / "fixtures" / f"{n}.onnx", {}) for n in catalogue}
    if not wanted or "resnet18" in wanted:
        import models
        import torch

        torch.save(models.resnet18().state_dict(), folder / "resnet18.pt")
        factory = f"{ROOT / 'bench' / 'models.py'}:resnet18"
        found["resnet18"] = (folder / "resnet18.pt", {"factory": factory, "inputs": models.INPUTS["resnet18"]})
    return {n: s for n, s in found.items() if not wanted or n in wanted}


def made(header: Path, weights: Path | None) -> Made:
    """Compile a header, and make its Session in a process of its own."""
    from sofie_bridge import signature, toolchain

    names = signature.read(header.read_text())
    arguments = ", ".join([*(["weights"] if weights else ['""'] if names.sizes else []), *("1" for _ in names.sizes)])
    source = header.with_suffix(".bench.cpp")
    source.write_text(_SOURCE.format(header=header.name, namespace=names.namespace, arguments=arguments))
    library = toolchain.compile_shared(
        source, header.with_suffix(".so"), toolchain.find(), optimise="-O2", includes=(header.parent,)
    )
    command = [sys.executable, __file__, "--make", str(library), str(weights or "")]
    first, *others = map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    size = weights.stat().st_size if weights else 0
    return Made(size, header.stat().st_size, first, min(others))


def make(library: str, weights: str) -> None:
    """The process: seconds of each Session."""
    call = ctypes.CDLL(library).make
    call.restype, call.argtypes = ctypes.c_double, [ctypes.c_char_p]
    for _ in range(1 + TURNS):
        sys.stdout.write(f"{call(weights.encode())}\n")


def forms(name: str, source: Any, options: dict[str, Any], folder: Path) -> dict[str, Made]:
    """Each form of a model, and "archive": what ``--to root`` writes."""
    import convert

    found: dict[str, Made] = {}
    for form in FORMS:
        if form == "embed" and found["file"].size > TOO_LARGE_TO_EMBED:
            continue
        place = folder / name / form / f"{name}.hxx"
        report = convert.convert(source, output=place, weights=form, verify=False, **options)
        found[form] = made(place, report.files[1] if len(report.files) > 1 else None)
    archive = folder / f"{name}.root"
    convert.convert(source, output=archive, to="root", verify=False, **options)
    start = time.perf_counter()
    convert.convert(archive, output=folder / name / "back" / f"{name}.hxx", verify=False)
    spent = time.perf_counter() - start
    found["archive"] = Made(archive.stat().st_size, 0, spent, spent)
    return found


def compressions(folder: Path, wanted: list[str]) -> None:
    """Size of a ROOT file of the weights, seconds to write and to read it, by ROOT's algorithms."""
    from rich.console import Console
    from rich.table import Table

    import convert
    from sofie_bridge import root_file

    table = Table("model", "compression", "bytes", "write s", "first Session s", "best Session s", box=None)
    for name, (source, options) in sources(folder, wanted).items():
        for number, said in COMPRESSIONS.items():
            root_file.NUMBERS = number
            place = folder / name / str(number) / f"{name}.hxx"
            start = time.perf_counter()
            convert.convert(source, output=place, weights="root", verify=False, **options)
            spent = time.perf_counter() - start
            seen = made(place, place.with_suffix(".root"))
            table.add_row(name, said, str(seen.size), f"{spent:.1f}", f"{seen.first:.3f}", f"{seen.best:.4f}")
    Console(width=110).print(table)


def main(wanted: list[str]) -> None:
    import run
    from rich.console import Console
    from rich.table import Table

    console = Console(width=130)
    console.print(f"BLAS: {run.blas_core()}")
    table = Table(
        "model", "weights", "bytes", "of .dat", "header bytes", "first Session ms", "best Session ms", box=None
    )
    with tempfile.TemporaryDirectory() as scratch:
        for name, (source, options) in sources(Path(scratch), wanted).items():
            seen = forms(name, source, options, Path(scratch))
            for form, one in seen.items():
                share = f"{one.size / seen['file'].size:.2f}"
                row = [f"{one.first * 1e3:.2f}", f"{one.best * 1e3:.2f}"]
                if form == "archive":
                    row = ["", f"back to a header: {one.best:.1f} s"]
                table.add_row(name, form, str(one.size), share, str(one.header or ""), *row)
    console.print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(*sys.argv[2:])
    elif sys.argv[1:2] == ["--compression"]:
        with tempfile.TemporaryDirectory() as name:
            compressions(Path(name), sys.argv[2:])
    else:
        main(sys.argv[1:])
