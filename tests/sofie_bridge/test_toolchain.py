from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.errors import CompileFailed, NoCompiler, UsageError
from sofie_bridge import header, toolchain

MLP = """m (float[1,3] x) => (float[1,2] y) <float[3,2] W = {1,2,3,4,5,6}, float[2] B = {0.5,-1}>
         { h = MatMul(x, W) z = Add(h, B) y = Relu(z) }"""


def test_cxx_may_hold_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", f"{sys.executable} -m ziglang c++")
    found = toolchain.find()
    assert found.command == (sys.executable, "-m", "ziglang", "c++")
    assert found.family == "zig"


def test_cxx_that_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(NoCompiler, match=r"no-such-compiler(.|\n)*try: install g\+\+"):
        toolchain.find()


def test_blas_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(toolchain.BLAS_VARIABLE, "-L/opt/blas -lopenblas")
    found = toolchain.find()
    assert (found.blas_cflags, found.blas_ldflags) == ((), ("-L/opt/blas", "-lopenblas"))


def test_compiled_once_per_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    compile_ = toolchain._compile

    def counted(command: list[str], time_limit: float) -> None:
        calls.append(command)
        compile_(command, time_limit)

    monkeypatch.setattr(toolchain, "_compile", counted)
    source, included = tmp_path / "a.cxx", tmp_path / "b.hxx"
    source.write_text('#include "b.hxx"\nextern "C" int f() { return VALUE; }')
    included.write_text("#define VALUE 1")
    found = toolchain.find()
    first = toolchain.compile_shared(source, None, found)
    assert toolchain.compile_shared(source, tmp_path / "out.so", found) == tmp_path / "out.so"
    assert len(calls) == 1
    assert (tmp_path / "out.so").read_bytes() == first.read_bytes()
    included.write_text("#define VALUE 2")
    assert toolchain.compile_shared(source, None, found) != first
    assert toolchain.compile_shared(source, None, found, optimise="-O1") != first
    assert len(calls) == 3


def test_errors_of_the_compiler(tmp_path: Path) -> None:
    source = tmp_path / "a.cxx"
    source.write_text("int f() { return nothing; }")
    with pytest.raises(CompileFailed, match=r"nothing.*not declared|undeclared"):
        toolchain.compile_shared(source, None, toolchain.find())
    assert not [p for p in tmp_path.iterdir() if p != source]
    source.write_text("int f() { return 1; }")
    with pytest.raises(CompileFailed, match="did not finish in 0"):
        toolchain.compile_shared(source, None, toolchain.find(), time_limit=0.001)
    with pytest.raises(UsageError, match="arithmetic"):
        toolchain.compile_shared(source, None, toolchain.find(), optimise="-O2 -ffast-math")


@pytest.mark.slow  # zig builds its C++ library first
def test_zig_where_there_is_no_compiler(emit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, path = emit(MLP)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    found = toolchain.find()
    assert found.family == "zig"
    with header.load(path, toolchain=found) as model:
        got = model(np.array([[1, 0, -1]], np.float32))["y"]
    np.testing.assert_allclose(got, [[0, 0]], rtol=0, atol=0)  # [1-5+.5, 2-6-1] below 0
    with header.load(path, toolchain=found) as model:
        got = model(np.array([[1, 1, 1]], np.float32))["y"]
    np.testing.assert_allclose(got, [[9.5, 11]], rtol=1e-6, atol=0)
