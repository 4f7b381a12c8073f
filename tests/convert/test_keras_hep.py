"""Networks of high-energy physics, from Keras to a verified header that gives Keras's own numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_hep
import numpy as np
import pytest

import convert
import sofie_bridge

keras = pytest.importorskip("keras", reason="Keras is not installed (the extra [keras])")


@pytest.fixture(autouse=True)
def seed() -> None:
    keras.utils.set_random_seed(0)


@pytest.mark.slow
@pytest.mark.parametrize("name", keras_hep.MODELS)
def test_gives_keras_numbers(name: str, tmp_path: Path) -> None:
    model = keras_hep.MODELS[name]()
    _perturb(model)
    given = {t.name: _padded(t.shape) for t in model.inputs}
    report = convert.convert(model, output=tmp_path / f"{name}.hxx", samples=given)
    assert report.verified
    assert [p.name for p in report.inputs] == [t.name for t in model.inputs]
    assert [p.name for p in report.outputs] == model.output_names
    assert all(p.shape[0] == "N" for p in (*report.inputs, *report.outputs))
    with sofie_bridge.load(tmp_path / f"{name}.hxx") as header:
        found = list(header(*given.values()).values())
    expected = model(list(given.values()) if len(given) > 1 else next(iter(given.values())), training=False)
    for ours, theirs in zip(found, expected if isinstance(expected, list) else [expected], strict=True):
        np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-4, atol=1e-5)


def test_any_number_of_particles(tmp_path: Path) -> None:
    model = keras_hep.pfn(None)
    report = convert.convert(model, inputs=["particles:float32[N,P,4]"], output=tmp_path / "pfn.hxx")
    assert report.verified
    with sofie_bridge.load(tmp_path / "pfn.hxx") as header:
        for jets, particles in ((1, 1), (3, 12), (2, 50)):
            given = _padded((jets, particles, 4))
            (found,) = header(given).values()
            np.testing.assert_allclose(found, np.asarray(model(given)), rtol=1e-4, atol=1e-5)


def _padded(shape: tuple[Any, ...]) -> np.ndarray[Any, Any]:
    """Events of different lengths: rows behind the last particle are zeros."""
    random = np.random.default_rng(1)
    array = random.normal(size=(3 if shape[0] is None else shape[0], *shape[1:])).astype(np.float32)
    if array.ndim == 3:
        for event in array:
            event[random.integers(1, event.shape[0] + 1) :] = 0
    return array


def _perturb(model: Any) -> None:
    """Numbers as after training: fresh biases and batch norms would hide errors."""
    random = np.random.default_rng(2)
    for variable in model.variables:
        if variable.name in ("bias", "gamma", "beta", "moving_mean", "moving_variance"):
            variable.assign(np.abs(variable + random.normal(0, 0.2, variable.shape)).astype(np.float32))
