"""Time for rewriting 5,000 and 10,000 nodes, and memory for 400 MB of weights: ``python bench/legalise.py``.

Each measurement is made in a process of its own. "cold" starts with an empty cache: every distinct node is tried in
SOFIE; "warm" finds the verdicts on disk. "busy" is the processor's time, which other work does not lengthen. Nodes that
the survey does not know to be right are compiled and run besides, once for each build of SOFIE, however many nodes the
model has: that is not part of it here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

#: Channels by which the blocks differ, so that a model has about two hundred distinct nodes, and rules make as many.
WIDTHS = range(20, 52, 4)
#: Nodes of one block.
BLOCK = 25
#: Rows and columns of each large matrix: 100 MB in float32.
SIDE = 5120


class _Builder:
    """A graph grown node by node at its end."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.end = "x"
        self.random = np.random.default_rng(0)

    def add(self, operator: str, *constants: Any, also: str = "", **attributes: Any) -> str:
        names = [self.weight(c) for c in constants]
        made = f"t{len(self.nodes)}"
        inputs = [self.end, *([also] if also else []), *names]
        self.nodes.append(helper.make_node(operator, inputs, [made], f"n{len(self.nodes)}", **attributes))
        self.end = made
        return made

    def weight(self, given: Any) -> str:
        array = given if isinstance(given, np.ndarray) else self.floats(*given)
        self.weights.append(numpy_helper.from_array(array, f"w{len(self.weights)}"))
        return self.weights[-1].name

    def floats(self, *shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        return (self.random.standard_normal(shape, np.float32) / np.float32(shape[-1] ** 0.5)).astype(np.float32)

    def model(self, *shape: int) -> onnx.ModelProto:
        """From x to the end, both float32 of the given shape."""
        x, y = (helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, shape) for n in ("x", self.end))
        graph = helper.make_graph(self.nodes, "bench", [x], [y], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def deep(count: int) -> onnx.ModelProto:
    """``count`` nodes in blocks of :data:`BLOCK`; about half of them have no equal in SOFIE and want a rule."""
    b = _Builder()
    for k in range(count // BLOCK):
        _block(b, WIDTHS[k % len(WIDTHS)])
    return b.model(1, 4, 8, 8)


def _block(b: _Builder, width: int) -> None:
    """Convolution, activations, a residual sum, and a dense part behind reshapes; in and out float32[1,4,8,8]."""
    start, channels = b.end, 4
    for activation in ("Relu", "Celu", "Mish", "Softsign", "HardSwish"):
        b.add("Conv", (width, channels, 3, 3), (width,), pads=[1, 1, 1, 1])
        b.add(activation)
        channels = width
    b.add("PRelu", (width, 1, 1))
    b.add("Ceil")
    b.add("ThresholdedRelu", alpha=0.1)
    b.add("Conv", (4, width, 1, 1), (4,))
    b.add("Add", also=start)
    residual = b.add("LpNormalization", axis=1)
    b.add("Reshape", np.array([0, -1], np.int64))
    b.add("Gemm", (256, width), (width,))
    b.add("Shrink", lambd=0.1, bias=0.1)
    b.add("Round")
    b.add("Gemm", (width, 256), (256,))
    b.add("Sinh")
    b.add("Reshape", np.array([1, 4, 8, 8], np.int64))
    b.add("Add", also=residual)
    b.add("Celu", alpha=0.5)


def heavy() -> onnx.ModelProto:
    """400 MB in four matrices: MatMul, MatMul and Add, Gemm, and a Gemm of a transposed weight; Mish between them."""
    b = _Builder()
    b.add("MatMul", (SIDE, SIDE))
    b.add("Mish")
    b.add("MatMul", (SIDE, SIDE))
    b.add("Add", (SIDE,))
    b.add("Mish")
    b.add("Gemm", (SIDE, SIDE), (SIDE,))
    b.add("Celu")
    b.add("Gemm", (SIDE, SIDE), (SIDE,), transB=1)
    return b.model(1, SIDE)


def rewriting(path: Path) -> dict[str, float]:
    """In this process: rewrite the model of the file."""
    from rewrite.api import rewrite_model
    from sofie_bridge.sofie import Sofie
    from sofie_bridge.target import SofieTarget

    model = onnx.load_model(path)
    start, busy = time.perf_counter(), time.process_time()
    with Sofie() as sofie:
        done = rewrite_model(model, SofieTarget(sofie))
    return {
        "seconds": time.perf_counter() - start,
        "busy": time.process_time() - busy,
        "nodes": done.before.total(),
        "rewritten": done.before.total() - done.native.total(),
        "after": done.after.total(),
    }


def conversion(path: Path) -> dict[str, float]:
    """In this process: the whole conversion, header compiled and run, weights as safetensors."""
    from convert.api import convert

    start, busy = time.perf_counter(), time.process_time()
    convert(path, output=path.parent / "out", weights="safetensors")
    return {"seconds": time.perf_counter() - start, "busy": time.process_time() - busy}


_ACTIONS: dict[str, Callable[[Path], dict[str, float]]] = {"rewriting": rewriting, "conversion": conversion}


def _measure(action: str, model: Path, cache: Path) -> dict[str, float]:
    """What the action tells, and the largest resident memory of its process and of any process that it starts."""
    command = [sys.executable, str(Path(__file__)), f"--{action}", str(model)]
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(command, stdout=told, env={**os.environ, "SOFIE_CONVERT_CACHE": str(cache)})
        peaks: dict[int, int] = {}
        while process.poll() is None:
            for pid in _family(process.pid):
                peaks[pid] = max(peaks.get(pid, 0), _peak(pid))
            time.sleep(0.02)
        if process.returncode:
            raise SystemExit(f"{action} of {model.name} ended with {process.returncode}")
        told.seek(0)
        found: dict[str, float] = json.loads(told.read().splitlines()[-1])
    own = peaks.pop(process.pid)
    return {**found, "own": own, "children": max(peaks.values(), default=0)}


def _family(pid: int) -> list[int]:
    """The process and all that it started, as far as they live."""
    try:
        tasks = [t.joinpath("children").read_text().split() for t in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []  # it has ended
    return [pid, *(p for children in tasks for child in children for p in _family(int(child)))]


def _peak(pid: int) -> int:
    """Bytes; not by getrusage, which counts its parent's memory for a child between fork and exec."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("model", box=None)
    for column in ("nodes", "rewritten", "after", "cold s", "cold busy s", "warm s", "warm busy s", "peak MB"):
        table.add_column(column, justify="right")
    weights = Table("400 MB of weights", box=None)
    for column in ("file MB", "seconds", "peak MB", "times the file", "peak MB of a child"):
        weights.add_column(column, justify="right")
    runs: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in (5000, 10000):
            path = folder / f"deep{count}.onnx"
            onnx.save(deep(count), path)
            cold, warm = (_measure("rewriting", path, folder / f"cache{count}") for _ in range(2))
            runs.append(warm)
            times = [f"{r[k]:.1f}" for r in (cold, warm) for k in ("seconds", "busy")]
            table.add_row(path.stem, *(f"{cold[k]:.0f}" for k in ("nodes", "rewritten", "after")), *times,
                          f"{cold['own'] / 1e6:.0f}")  # fmt: skip
        path = folder / "heavy.onnx"
        onnx.save(heavy(), path)
        size = path.stat().st_size
        for action in _ACTIONS:
            seen = _measure(action, path, folder / "cacheheavy")
            weights.add_row(action, f"{size / 1e6:.0f}", f"{seen['seconds']:.1f}", f"{seen['own'] / 1e6:.0f}",
                            f"{seen['own'] / size:.2f}", f"{seen['children'] / 1e6:.0f}")  # fmt: skip
    few, many = runs
    ratios = (f"{many[k] / few[k]:.2f}" for k in ("seconds", "busy"))
    console = Console(width=120)
    console.print(table)
    console.print(
        "10,000 nodes take {} times as long as 5,000 (warm), and {} times the processor's time".format(*ratios)
    )
    console.print(weights)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps(_ACTIONS[sys.argv[1].removeprefix("--")](Path(sys.argv[2]))))
    else:
        main()
