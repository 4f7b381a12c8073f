"""Keras files to headers: those of Keras 2 that are kept, and the command line's ways to name a model."""

from __future__ import annotations

import importlib.util
import json
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_form import form_of

import sofie_bridge
from convert.cli import main
from convert.sweep.case import Case, Made
from convert.sweep.outcome import results
from converters import load
from sofie_bridge.sofie import Sofie

pytest.importorskip("tensorflow")

KERAS2 = Path(__file__).parents[2] / "fixtures" / "keras2"
has_tf_keras = importlib.util.find_spec("tf_keras") is not None


def stored(name: str) -> dict[str, Any]:
    with np.load(KERAS2 / f"{name}.npz") as arrays:
        return dict(arrays)


@pytest.mark.slow
@pytest.mark.skipif(not has_tf_keras, reason="tf_keras is not installed: it wants --no-deps")
def test_the_kept_files_of_keras_2() -> None:
    """All to headers in one translation unit, held against the reference on drawn inputs and on those that are kept."""
    inputs = {"dense": ["first_input"], "conv": ["image"], "lstm": ["steps", "globals"]}
    cases: dict[str, Case] = {}
    for name, kind in product(inputs, (".h5", ".keras", "")):
        path, samples = KERAS2 / f"{name}{kind}", {i: stored(name)[i] for i in inputs[name]}
        # two files that give one ONNX share a header
        cases.setdefault(form_of(load(path).model), Case(path.name, "", partial(Made, path, samples=samples)))
    assert len(cases) >= len(inputs)
    with Sofie() as sofie:
        found = results(list(cases.values()), sofie, lambda *_: None)
    assert {str(c): str(r) for c, r in zip(cases.values(), found, strict=True) if r.open.outcome != "right"} == {}


FACTORIES = """
import keras, tensorflow as tf
from keras import layers

def build():
    keras.utils.set_random_seed(4)
    x = keras.Input((5,), name="variables")
    h = layers.Dense(4, activation="relu")(x)
    return keras.Model(x, {"signal": layers.Dense(1)(h), "mass": layers.Dense(2)(h)})

@tf.function(input_signature=[tf.TensorSpec([None, 5], name="variables")])
def function(x):
    return tf.nn.softmax(x * [1.0, 2.0, 3.0, 4.0, 5.0])
"""


def test_a_factory_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "networks_to_build.py").write_text(FACTORIES)
    out = tmp_path / "out"
    assert main([f"{tmp_path}/networks_to_build.py:build", "--batch", "3", "-o", f"{out}/net.hxx"]) == 0
    monkeypatch.chdir(tmp_path)
    report = tmp_path / "report.json"
    assert main(["networks_to_build:function", "-o", f"{out}/fun.hxx", "--json", str(report)]) == 0
    told = json.loads(report.read_text())
    assert [(p["name"], p["shape"]) for p in told["inputs"]] == [("variables", ["N", 5])]
    from networks_to_build import build  # type: ignore[import-not-found]

    x = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    expected = build()(x)
    with sofie_bridge.load(out / "net.hxx") as header:
        found = header(x)
    assert list(found) == ["mass", "signal"]
    for name, array in found.items():
        np.testing.assert_allclose(np.reshape(array, expected[name].shape), expected[name], rtol=1e-4, atol=1e-5)


def test_a_json_with_its_weights(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(2)])
    (tmp_path / "m.json").write_text(model.to_json())
    model.save_weights(tmp_path / "m.weights.h5")
    arguments = [str(tmp_path / "m.json"), "--params", str(tmp_path / "m.weights.h5"), "-o", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"m.hxx", "m.dat"}
