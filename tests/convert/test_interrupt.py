"""Ctrl-C in any stage: one line, exit code 130, nothing written, no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

#: After which line of stderr the signal is sent; None: at once, while the model is loaded.
MOMENTS = {"load": None, "rewrite": "load", "emit": "rewrite", "verify": "emit"}


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model every stage of which takes long enough to be interrupted: large weights, many distinct nodes."""
    nodes, initializers = [], []
    generator = np.random.default_rng(0)
    size = 400
    for k in range(60):
        width = size + k + 1
        initializers.append(numpy_helper.from_array(generator.random((size + k, width), np.float32) / width, f"w{k}"))
        nodes.append(onnx.helper.make_node("MatMul", [f"t{k}", f"w{k}"], [f"t{k + 1}"]))
    info = [onnx.helper.make_tensor_value_info(n, 1, [1, s]) for n, s in (("t0", size), ("t60", size + 60))]
    graph = onnx.helper.make_graph(nodes, "g", info[:1], info[1:], initializers)
    path = tmp_path_factory.mktemp("slow") / "slow.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.mark.parametrize("stage", MOMENTS)
def test_interrupted(stage: str, slow: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(  # a shell's background jobs ignore SIGINT, and what they start inherits that
        [sys.executable, "-m", "convert", str(slow), "--output", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env={
            **os.environ,
            "SOFIE_CONVERT_CACHE": str(tmp_path / "cache"),
            "TMPDIR": str(tmp_path),
            "MARK": str(tmp_path),
        },
    )
    assert process.stderr is not None
    seen = ""
    if MOMENTS[stage] is None:
        time.sleep(0.6)
    while MOMENTS[stage] and not seen.startswith(MOMENTS[stage] or ""):
        seen = process.stderr.readline()
        assert seen, "the program ended before the stage came"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert err.rstrip().endswith("interrupted: nothing was written")
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()
    deadline = time.monotonic() + 10
    while (left := descendants(str(tmp_path))) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left
    # .ses is onnxruntime's own, one for all of its sessions
    assert {p.name for p in tmp_path.iterdir()} <= {"cache", ".ses"}, "temporary files were left behind"


def descendants(mark: str) -> list[str]:
    """Command lines of living processes that carry the mark in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"MARK={mark}\0".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return [f for f in found if f]
