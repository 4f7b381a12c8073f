"""A staged header under the compilers' checks of addresses and of undefined behaviour."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from small_models import arrays_for
from staged_models import COUNTED, EVERYWHERE, TWO_DTYPES

from sofie_bridge import signature, toolchain
from sofie_bridge.emit import Emitted
from sofie_bridge.reference import OnnxReference

Staged = Callable[..., tuple[onnx.ModelProto, Emitted]]

FLAGS = ("-std=c++20", "-O1", "-g", "-Wall", "-Wextra", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
MODELS = {"everywhere": EVERYWHERE, "dtypes": TWO_DTYPES, "counted": COUNTED}

PROGRAM = """
#include <cstdio>
{includes}
template <class T> void add(double &sum, std::vector<T> const &held) {{ for (auto v : held) sum += double(v); }}
int main()
{{
{calls}
}}
"""
CALL = """   {{
      SOFIE_{name}::Session session("{name}.safetensors", 6);
      SOFIE_{name}::Session moved(std::move(session));
      for (std::size_t n : {{6, 1, 0, 5}}) {{
         double sum = 0;
{inputs}
         auto const answers = moved.infer({arguments});
         std::apply([&](auto const &...held) {{ (add(sum, held), ...); }}, answers);
         if (n == 5)
            std::printf("%.9g\\n", sum);
      }}
   }}"""


def call(name: str, model: onnx.ModelProto, emitted: Emitted) -> tuple[str, float]:
    """The model's part of the program, and the sum of its outputs by the reference."""
    arrays = arrays_for(model, size=5)
    expected = sum(float(a.astype(np.float64).sum()) for a in OnnxReference(model)(arrays).values())
    inputs = []
    for key, array in arrays.items():
        numbers = ", ".join(f"{v!r}f" for v in array.ravel().tolist())
        inputs.append(f"         std::vector<float> {key}{{{numbers}}};")
        inputs.append(f"         {key}.resize(n * {array.shape[1]});")
    names = signature.read(emitted.header.read_text()).arguments
    arguments = ", ".join("n" if a == "N" else f"{a}.data()" for a in names)
    return CALL.format(name=name, inputs="\n".join(inputs), arguments=arguments), expected


def sanitized(folder: Path, program: str, found: toolchain.Toolchain) -> subprocess.CompletedProcess[str]:
    (folder / "main.cpp").write_text(program)
    command = [*found.command, *FLAGS, *found.blas_cflags, "main.cpp", "-o", "program", *found.blas_ldflags]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.sweep
def test_addresses_and_undefined_behaviour(staged: Staged, tmp_path: Path) -> None:
    found = toolchain.find()
    if sanitized(tmp_path, "int main() { return 0; }", found).returncode != 0:
        pytest.skip("the compiler has no sanitizers")
    calls, sums = [], []
    for name, text in MODELS.items():
        made, expected = call(name, *staged(text, name))
        calls.append(made)
        sums.append(expected)
    includes = "\n".join(f'#include "{name}.hxx"' for name in MODELS)
    built = sanitized(tmp_path, PROGRAM.format(includes=includes, calls="\n".join(calls)), found)
    assert built.returncode == 0, built.stderr
    done = subprocess.run(["./program"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose([float(line) for line in done.stdout.splitlines()], sums, rtol=1e-4, atol=1e-4)
    outer = {n: (tmp_path / f"{n}.hxx").read_text().split("// --- the whole model")[0].count("\n") for n in MODELS}
    for name, first in outer.items():  # SOFIE's own text has warnings
        lines = map(int, re.findall(rf"^{name}\.hxx:(\d+):\d+: warning", built.stderr, re.MULTILINE))
        assert not [line for line in lines if line > first], built.stderr
