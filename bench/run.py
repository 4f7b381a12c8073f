"""Seconds per stage, peak memory, and the header's latency beside onnxruntime's: ``python bench/run.py [NAME ...]``.

One thread, batch 1, compiled with -O3 for this processor, header and onnxruntime side by side in one run. onnxruntime
is called from Python, which costs it about 2 us a call.
"""

from __future__ import annotations

import ctypes
import json
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
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

#: Seconds that each latency is measured for.
SPAN = 0.5


@dataclass(frozen=True)
class Subject:
    """A model file and the options it is converted with."""

    name: str
    options: tuple[str, ...]


def subjects(folder: Path) -> list[Subject]:
    """The fixtures, and the models of ``bench/models.py`` as state dicts in ``folder``."""
    import models
    import torch

    fixtures = tomllib.loads((ROOT / "fixtures" / "fixtures.toml").read_text())
    found = [Subject(name, (str(ROOT / "fixtures" / entry["files"]["pt2"]),)) for name, entry in fixtures.items()]
    for name, inputs in models.INPUTS.items():
        torch.save(getattr(models, name)().state_dict(), folder / f"{name}.pt")
        given = [word for text in inputs for word in ("--input", text)]
        factory = f"{ROOT / 'bench' / 'models.py'}:{name}"
        found.append(Subject(name, (str(folder / f"{name}.pt"), "--model", factory, *given)))
    return found


def convert(subject: Subject, folder: Path, cache: Path) -> dict[str, Any]:
    """Convert in a process of its own with an empty cache; the report."""
    report = folder / f"{subject.name}.json"
    for to in ("onnx", "header"):
        command = [sys.executable, "-m", "convert", *subject.options, "--to", to, "--json", str(report)]
        done = subprocess.run(
            [*command, "--output", str(folder / f"{subject.name}.{'hxx' if to == 'header' else 'onnx'}")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env={**os.environ, "SOFIE_CONVERT_CACHE": str(cache / to)},
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{subject.name}: {done.stderr}")
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def header_latency(header: Path, report: dict[str, Any]) -> float:
    """Seconds per call of ``infer``, measured in C++."""
    from sofie_bridge import toolchain

    arguments: list[str] = []
    sizes: list[str] = []
    lines: list[str] = []
    for k, port in enumerate(report["inputs"]):
        symbols = [d for d in port["shape"] if isinstance(d, str)]
        arguments += [f"size_t(1) /* {s} */" for s in dict.fromkeys(symbols) if s not in sizes]
        sizes += [s for s in dict.fromkeys(symbols) if s not in sizes]
        count = 1
        for d in port["shape"]:
            count *= d if isinstance(d, int) else 1
        kind = {"bool": "uint8_t", "float32": "float", "float64": "double"}.get(port["dtype"], port["dtype"] + "_t")
        lines.append(f"static std::vector<{kind}> x{k}({count}, {kind}(0.5));")
        arguments.append(f"x{k}.data()")
    weights = "".join(f", {1}" for _ in sizes)
    source = header.with_suffix(".bench.cpp")
    source.write_text(
        f'#include "{header.name}"\n#include <chrono>\n'
        f'extern "C" __attribute__((visibility("default"))) double measure(const char* weights, double span) {{\n'
        f"  SOFIE_{report['name']}::Session session(weights{weights});\n  {' '.join(lines)}\n"
        "  using clock = std::chrono::steady_clock; long calls = 0; double seconds = 0;\n"
        f"  for (int i = 0; i < 3; ++i) session.infer({', '.join(arguments)});\n"
        "  auto start = clock::now();\n"
        f"  while (seconds < span) {{ for (int i = 0; i < 4; ++i, ++calls) session.infer({', '.join(arguments)});\n"
        "    seconds = std::chrono::duration<double>(clock::now() - start).count(); }\n"
        "  return seconds / calls;\n}\n"
    )
    library = toolchain.compile_shared(
        source, header.with_suffix(".bench.so"), toolchain.find(), optimise="-O3", includes=(header.parent,)
    )
    measure = ctypes.CDLL(str(library)).measure
    measure.restype = ctypes.c_double
    measure.argtypes = [ctypes.c_char_p, ctypes.c_double]
    return float(measure(str(header.parent / f"{report['name']}.dat").encode(), SPAN))


def onnxruntime_latency(model: Path) -> float:
    """Seconds per call, optimisations on."""
    import numpy as np
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(bool)": "bool", "tensor(double)": "float64"}
    feeds = {
        i.name: np.full([d if isinstance(d, int) else 1 for d in i.shape], 0.5).astype(kinds[i.type])
        for i in session.get_inputs()
    }
    for _ in range(3):
        session.run(None, feeds)
    start, calls = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < SPAN:
        session.run(None, feeds)
        calls += 1
    return spent / calls


def blas_core() -> str:
    """The processor that OpenBLAS has chosen its kernels for."""
    import scipy_openblas32

    library = ctypes.CDLL(str(next(Path(scipy_openblas32.get_lib_dir()).glob("libscipy_openblas*.so"))))
    library.scipy_openblas_get_config.restype = ctypes.c_char_p
    return str(library.scipy_openblas_get_config().decode())


def main(wanted: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("model", box=None)
    for column in ("load s", "rewrite s", "emit s", "verify s", "peak MB", "header us", "onnxruntime us", "ratio"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for subject in subjects(folder):
            if wanted and subject.name not in wanted:
                continue
            report = convert(subject, folder, folder / f"cache-{subject.name}")
            seconds = {n: sum(s["seconds"] for s in report["stages"] if s["name"] == n) for n in
                       ("load", "rewrite", "emit", "verify")}  # fmt: skip
            ours = header_latency(folder / f"{subject.name}.hxx", report)
            theirs = onnxruntime_latency(folder / f"{subject.name}.onnx")
            table.add_row(
                subject.name,
                *(f"{s:.1f}" for s in seconds.values()),
                f"{report['peak_memory'] / 1e6:.0f}",
                f"{ours * 1e6:.1f}",
                f"{theirs * 1e6:.1f}",
                f"{ours / theirs:.2f}",
            )
    console = Console(width=120)
    console.print(f"BLAS: {blas_core()}")
    console.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
