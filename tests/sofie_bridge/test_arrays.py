"""Headers on tables of events without ROOT: numpy, awkward, uproot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sofie_bridge.arrays
from convert.errors import BadSamples, CompileFailed, UsageError

Emit = Callable[..., tuple[Path, Path]]

MLP = "mlp (float[N,3] x) => (float[N,1] y) <float[3,1] w = {1.0, -2.0, 0.5}> { y = MatMul(x, w) }"
NET = """net (float[N,2,P] points, float[N,1,P] mask) => (float[N,2] y)
{ axes = Constant<value_ints = [2]>()  m = Mul(points, mask)  sum = ReduceSum<keepdims = 0>(m, axes)  y = Tanh(sum) }"""
EACH = "each (float[N,2] x) => (float[N,1] y) <float[2,1] w = {1.0, 10.0}> { y = MatMul(x, w) }"
SUM = """sums (float[1,P] x) => (float[1] y)
{ axes = Constant<value_ints = [1]>()  y = ReduceSum<keepdims = 0>(x, axes) }"""
WEIGHTS = np.array([1.0, -2.0, 0.5])


def x(count: int = 3000) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).standard_normal((count, 3)).astype(np.float32)


def test_columns_of_numbers_in_blocks(emit: Emit) -> None:
    _, header = emit(MLP, name="mlp")
    events = {n: x()[:, k] for k, n in enumerate("abc")}
    with sofie_bridge.arrays.load(header, ["a", "b", "c"]) as model:
        np.testing.assert_allclose(model(events)["y"], x() @ WEIGHTS, rtol=1e-4, atol=1e-5)
        assert model({n: v[:0] for n, v in events.items()})["y"].shape == (0,)
    records = np.rec.fromarrays(list(x(5).T), dtype=[(n, "f4") for n in "abc"])
    found = sofie_bridge.arrays.call(header, records, ["a", "b", "c"])
    np.testing.assert_allclose(found, x(5) @ WEIGHTS, rtol=1e-4, atol=1e-5)


def test_one_column_of_lists_of_fixed_length(emit: Emit) -> None:
    _, header = emit(MLP, name="mlp")
    found = sofie_bridge.arrays.call(header, {"x": x(7)}, ["x"])
    np.testing.assert_allclose(found, x(7) @ WEIGHTS, rtol=1e-4, atol=1e-5)


def test_awkward_arrays_with_a_mask(emit: Emit) -> None:
    ak = pytest.importorskip("awkward", reason="the extra hep is not installed")
    _, header = emit(NET, name="net")
    counts = np.random.default_rng(3).integers(0, 6, 400)
    flat = np.random.default_rng(4).standard_normal((2, counts.sum()))
    events = ak.zip({n: ak.unflatten(flat[k], counts) for k, n in enumerate(("eta", "phi"))})
    found = sofie_bridge.arrays.call(header, events, {"points": ["eta", "phi"]})
    expected = np.tanh(np.stack([ak.to_numpy(ak.sum(events[n], axis=1)) for n in ("eta", "phi")], axis=1))
    assert found.shape == (400, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_an_answer_for_each_entry(emit: Emit) -> None:
    ak = pytest.importorskip("awkward", reason="the extra hep is not installed")
    _, header = emit(EACH, name="each")
    events = {"a": ak.Array([[1, 2], [], [3]]), "b": ak.Array([[4, 5], [], [6.0]])}
    assert sofie_bridge.arrays.call(header, events, ["a", "b"]).to_list() == [[41, 52], [], [63]]
    rows = {n: [np.asarray(v) for v in events[n]] for n in events}
    assert [v.tolist() for v in sofie_bridge.arrays.call(header, rows, ["a", "b"])] == [[41, 52], [], [63]]


def test_empty_lists(emit: Emit) -> None:
    _, header = emit(SUM, name="sums")
    events = {"x": [np.array([1.0, 2.0]), np.array([]), np.array([4.0])]}
    with pytest.raises(BadSamples, match=r"empty lists.*at event 1"):
        sofie_bridge.arrays.call(header, events, ["x"])
    found = sofie_bridge.arrays.call(header, events, ["x"], empty=float("nan"))
    np.testing.assert_array_equal(found, [3, np.nan, 4])


def test_everything_that_is_wrong_with_the_columns(emit: Emit) -> None:
    _, header = emit(MLP, name="mlp")
    events = {"a": np.zeros(3), "b": np.zeros(4), "c": np.array(["no"] * 3)}
    with pytest.raises(UsageError) as caught:
        sofie_bridge.arrays.call(header, events, ["a", "b", "c", "d"])
    for words in ("no column d", "column c is <U2", "different numbers of events"):
        assert words in str(caught.value)


def test_a_header_without_a_session(emit: Emit) -> None:
    _, header = emit("one (float[1,3] x) => (float[1,3] y) { y = Relu(x) }", "3", name="one")
    with pytest.raises(CompileFailed, match="has no Session"):
        sofie_bridge.arrays.call(header, {"a": np.zeros(1)}, ["a"])


def test_chunks_of_a_root_file(emit: Emit, tmp_path: Path) -> None:
    uproot = pytest.importorskip("uproot", reason="the extra hep is not installed")
    _, header = emit(MLP, name="mlp")
    with uproot.recreate(tmp_path / "events.root") as file:
        file["events"] = {n: x()[:, k] for k, n in enumerate("abc")}
    model = sofie_bridge.arrays.load(header, ["a", "b", "c"])
    chunks = uproot.iterate(f"{tmp_path / 'events.root'}:events", ["a", "b", "c"], step_size=700)
    found = np.concatenate([model(chunk)["y"] for chunk in chunks])
    np.testing.assert_allclose(found, x() @ WEIGHTS, rtol=1e-4, atol=1e-5)
