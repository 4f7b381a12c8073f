"""The plain BLAS that a project brings along, against numpy."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.project import Array

CXX = shutil.which("c++")


@pytest.mark.skipif(CXX is None, reason="needs a C++ compiler that is called c++")
def test_the_bundled_blas_is_right(tmp_path: Path) -> None:
    """Against numpy: transposes, padded leading dimensions, strides of both signs, beta that must hide NaN."""
    assert CXX
    source = tmp_path / "minimal_blas.cpp"
    template = files("convert").joinpath("templates/project/minimal_blas.cpp.j2")  # there is nothing in it to fill
    source.write_bytes(template.read_bytes())
    flags = ("-std=c++20", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC")
    subprocess.run([CXX, *flags, source, "-o", tmp_path / "blas.so"], check=True, timeout=120)
    blas, random = ctypes.CDLL(str(tmp_path / "blas.so")), np.random.default_rng(3)

    def call(routine: str, *arguments: str | int | float | Array) -> None:
        for_c: list[Any] = []
        for a in arguments:
            if isinstance(a, np.ndarray):
                for_c.append(a.ctypes)
            elif isinstance(a, str):
                for_c.append(ctypes.c_char_p(a.encode()))
            else:
                for_c.append(ctypes.byref(ctypes.c_int(a) if isinstance(a, int) else ctypes.c_float(a)))
        blas[routine](*for_c)

    def numbers(*shape: int) -> Array:
        return np.asfortranarray(random.standard_normal(shape, np.float32))

    m, n, k, pad = 3, 5, 4, 2
    for ta, tb, alpha, beta in product("nT", "Nt", (1.0, -0.5, 0.0), (0.0, 1.0, 2.0)):
        a = numbers(*((m + pad, k) if ta in "nN" else (k + pad, m)))
        b = numbers(*((k + pad, n) if tb in "nN" else (n + pad, k)))
        c = numbers(m + pad, n) if beta else np.full((m + pad, n), np.nan, np.float32, order="F")
        left, right = (x[:-pad] if t in "nN" else x[:-pad].T for x, t in ((a, ta), (b, tb)))
        expected = np.concatenate([alpha * left @ right + (beta * c[:m] if beta else 0), c[m:]])
        call("sgemm_", ta, tb, m, n, k, alpha, a, a.shape[0], b, b.shape[0], beta, c, c.shape[0])
        np.testing.assert_allclose(c, expected, rtol=1e-5, atol=1e-6)

        x, y = numbers(2 * left.shape[1]), numbers(3 * m)
        y = y if beta else np.full_like(y, np.nan)
        expected = y.copy()
        expected[::-3] = alpha * left @ x[::2] + (beta * y[::-3] if beta else 0)
        rows = a.shape[0] - pad
        call("sgemv_", ta, rows, a.shape[1], alpha, a, a.shape[0], x, 2, beta, y[2:], -3)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)

    for routine, step in product(("saxpy_", "scopy_"), (1, -2)):
        x, y = numbers(4), numbers(8)
        expected = y.copy()
        target = expected[:4] if step == 1 else expected[6::-2]
        target[:] = 0.5 * x + target if routine == "saxpy_" else x
        call(routine, 4, *((0.5,) if routine == "saxpy_" else ()), x, 1, y, step)
        np.testing.assert_allclose(y, expected, rtol=1e-6, atol=0)
