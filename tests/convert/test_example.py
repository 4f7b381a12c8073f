"""The example's C++ program, built by its own CMake project on a header of ours, reads events and classifies them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import convert
from sofie_bridge import toolchain

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake, which the extra [test] brings")
def test_events(tmp_path: Path) -> None:
    convert.convert(ROOT / "fixtures" / "mlp.pt2", output=tmp_path / "out")
    found = toolchain.find()
    libraries = [f for f in found.blas_ldflags if f.endswith(".so")] or list(found.blas_ldflags)
    configure = [f"-DMODEL_DIR={tmp_path / 'out'}", f"-DBLAS_LIBRARIES={';'.join(libraries)}"]
    configure += ["-DBLAS_PREFIX=scipy_"] if "scipy" in libraries[0] else []
    build = str(tmp_path / "build")
    for command in (["-S", str(ROOT / "examples" / "events"), "-B", build, *configure], ["--build", build]):
        subprocess.run(["cmake", *command], check=True, capture_output=True)
    done = subprocess.run(
        [f"{build}/events", str(ROOT / "fixtures" / "events.csv"), str(tmp_path / "out" / "mlp.dat")],
        check=True,
        capture_output=True,
        text=True,
    )
    *lines, last = done.stdout.splitlines()
    events = np.loadtxt(ROOT / "fixtures" / "events.csv", delimiter=",", skiprows=1)
    answers = np.array([float(line.split()[-1]) for line in lines])
    assert len(answers) == len(events)
    right = float(np.mean((answers > 0.5) == (events[:, 4] > 0.5)))
    assert right > 0.8
    assert abs(float(last.split()[-1]) - right) < 1e-4
