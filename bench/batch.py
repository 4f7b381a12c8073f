"""Models a minute with one job and two, and where the time of a conversion goes: ``python bench/batch.py [COUNT]``.

The zoo is COUNT (8) models that differ in a name, so that nothing that was compiled for one serves another; what SOFIE
says of their nodes is in the cache beforehand. The parts of one conversion, with a cold cache, are measured in this
process: the framework's export, SOFIE, the compiler, the compiled header, onnxruntime; what is left is the
converter's own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

#: This slows OpenBLAS down threefold where it names another processor than the one at hand.
os.environ.pop("OPENBLAS_CORETYPE", None)

#: What is not the converter's own, by the functions that everything of it goes through.
PARTS = {
    "framework's export": ("torch.onnx.export",),
    "SOFIE": ("sofie_bridge.sofie.Sofie.ask",),
    "compiler": ("sofie_bridge.toolchain._compile",),
    "the compiled header": ("sofie_bridge.isolate.run_child", "sofie_bridge.batch.run_child"),
    "onnxruntime": ("sofie_bridge.reference.OnnxReference.__init__", "sofie_bridge.reference.OnnxReference.__call__"),
}


def zoo(folder: Path, count: int, serial: int) -> Path:
    """Models that differ in their output's name."""
    import onnx

    folder.mkdir()
    for k in range(count):
        model = onnx.load(ROOT / "fixtures" / ("mlp.onnx" if k % 2 else "cnn.onnx"))
        old, new = model.graph.output[0].name, f"output_{serial}_{k}"
        for node in model.graph.node:
            node.output[:] = [new if o == old else o for o in node.output]
        model.graph.output[0].name = new
        onnx.save(model, folder / f"model_{serial}_{k}.onnx")
    return folder


def seconds(models: Path, output: Path, jobs: int, cache: Path) -> float:
    command = [sys.executable, "-m", "convert", "batch", str(models), "--output", str(output), "--jobs", str(jobs)]
    environment = {**os.environ, "SOFIE_CONVERT_CACHE": str(cache)}
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - start


class Clock:
    """Seconds by part; a part inside another counts for the inner one alone."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inside: list[float] = []

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            self._inside.append(0.0)
            try:
                return function(*arguments, **named)
            finally:
                took = time.perf_counter() - start
                self.spent[part] += took - self._inside.pop()
                if self._inside:
                    self._inside[-1] += took

        return call

    @contextmanager
    def watching(self) -> Iterator[None]:
        from pkgutil import resolve_name

        with ExitStack() as stack:
            for part, names in PARTS.items():
                for name in names:
                    home, _, attribute = name.rpartition(".")
                    owner = resolve_name(home)
                    timed = self.timed(part, getattr(owner, attribute))
                    stack.enter_context(mock.patch.object(owner, attribute, timed))
            yield


def parts(folder: Path, cache: Path) -> dict[str, float]:
    """Of the conversion of a torch.export program with a cold cache."""
    os.environ["SOFIE_CONVERT_CACHE"] = str(cache)
    import torch.onnx  # noqa: F401 - importing it is no conversion

    from convert import convert, pipeline  # noqa: F401

    clock = Clock()
    start = time.perf_counter()
    with clock.watching():
        convert(ROOT / "fixtures" / "attention.pt2", output=folder / "attention.hxx")
    whole = time.perf_counter() - start
    return {**clock.spent, "the converter's own": whole - sum(clock.spent.values()), "whole": whole}


def main(count: int) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=100)
    with tempfile.TemporaryDirectory() as name:
        folder, cache = Path(name), Path(name) / "cache"
        seconds(zoo(folder / "warm", 2, 0), folder / "out0", 1, cache)
        times = [seconds(zoo(folder / f"zoo{j}", count, j), folder / f"out{j}", j, cache) for j in (1, 2)]
        for jobs, spent in zip((1, 2), times, strict=True):
            console.print(f"{jobs} jobs: {count} models in {spent:.1f} s, {60 * count / spent:.1f} a minute")
        console.print(f"2 jobs are {times[0] / times[1]:.2f} times as fast, {os.cpu_count()} processors")
        table = Table("attention.pt2, cold cache", box=None)
        for column in ("s", "share"):
            table.add_column(column, justify="right")
        spent_by = parts(folder, folder / "cold")
        for part, spent in spent_by.items():
            table.add_row(part, f"{spent:.2f}", f"{spent / spent_by['whole']:.0%}")
        console.print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 8)
