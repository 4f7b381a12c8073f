from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convert.errors import BadSamples, RunFailed
from sofie_bridge.isolate import run_header

X = {"x": np.array([1, 2], np.float32)}


def test_one_session_runs_all_samples(emit: Any) -> None:
    _, path = emit("m (float[N,2] x) => (float[N,2] y) { y = Neg(x) }")
    given = [{"x": np.full((n, 2), n, np.float32)} for n in (3, 8, 1)]
    for sample, got in zip(given, run_header(path, None, given), strict=True):
        np.testing.assert_array_equal(got["y"], -sample["x"])


@pytest.mark.parametrize(
    ("body", "members", "message"),
    [
        ("*(volatile int *)nullptr = 1; return {};", "", "crashed with SIGSEGV"),
        ('throw std::runtime_error("no luck");', "", "no luck"),
        ("for (volatile int i = 0;; i = i + 1); return {};", "", "did not finish in 5 s"),
        ("std::vector<float> big(1ul << 28, 1.f); return {big[5], 2};", "", "needs more memory than 512 MB"),
        ("return {++calls, 2};", "float calls = 0;", "keeps state between calls"),
        ("std::exit(0); return {};", "", "ended with code 0"),
    ],
)
def test_each_failure_is_named(write: Any, body: str, members: str, message: str) -> None:
    path = write(body, members)
    with pytest.raises(RunFailed, match=message):
        run_header(path, None, [X], time_limit=5, memory_limit=512 << 20)


def test_a_nan_is_the_same_nan(write: Any) -> None:
    got = run_header(write("return {0.f / (tensor_x[0] - 1), 1};"), None, [X])
    assert np.isnan(got[0]["y"][0])


def test_samples_that_do_not_fit(write: Any) -> None:
    path = write("return {1, 2};")
    with pytest.raises(BadSamples, match="no samples"):
        run_header(path, None, [])
    with pytest.raises(BadSamples, match="x is float64"):
        run_header(path, None, [{"x": np.zeros(2)}])
