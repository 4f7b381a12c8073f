"""The layers of ROOT's own Keras parser, and those it planned: files of Keras 3 and Keras 2 to right headers."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_form import form_of

from convert.sweep.case import Case, Made
from convert.sweep.outcome import results
from converters import load
from sofie_bridge.sofie import Sofie

pytest.importorskip("tensorflow")

Layer = Callable[[Any], Any]
IMAGE = (6, 5, 3)

#: What ROOT's parser had (tmva/sofie/python/keras), then what it meant to have. A layer on one input: its shape, and the
#: layer of ``keras.layers`` or ``tf_keras.layers``.
LAYERS: dict[str, tuple[tuple[int, ...], Layer]] = {
    "AveragePooling2D": (IMAGE, lambda k: k.AveragePooling2D(2, padding="same")),
    "AveragePooling2D first": (IMAGE, lambda k: k.AveragePooling2D(2, data_format="channels_first")),
    "BatchNormalization": (IMAGE, lambda k: k.BatchNormalization()),
    "Conv2D valid": (IMAGE, lambda k: k.Conv2D(4, 3, strides=2, activation="relu")),
    "Conv2D same": (IMAGE, lambda k: k.Conv2D(4, 3, strides=2, padding="same", use_bias=False)),
    "Conv2D first": (IMAGE, lambda k: k.Conv2D(4, 3, padding="valid", data_format="channels_first")),
    "Conv2D first same": (IMAGE, lambda k: k.Conv2D(4, 3, padding="same", data_format="channels_first")),
    "Dense": ((7,), lambda k: k.Dense(4, activation="tanh")),
    "ELU": ((7,), lambda k: k.ELU(0.7)),
    "Flatten": (IMAGE, lambda k: k.Flatten()),
    "GlobalAveragePooling2D": (IMAGE, lambda k: k.GlobalAveragePooling2D()),
    "GlobalAveragePooling2D first": (IMAGE, lambda k: k.GlobalAveragePooling2D(data_format="channels_first")),
    "LayerNormalization": ((4, 7), lambda k: k.LayerNormalization()),
    "LeakyReLU": ((7,), lambda k: k.LeakyReLU()),
    "MaxPooling2D": (IMAGE, lambda k: k.MaxPooling2D((2, 3), strides=1)),
    "MaxPooling2D first": (IMAGE, lambda k: k.MaxPooling2D(2, data_format="channels_first")),
    "Permute": (IMAGE, lambda k: k.Permute((3, 1, 2))),
    "ReLU": ((7,), lambda k: k.ReLU(max_value=1.0, negative_slope=0.1)),
    "Reshape": ((4, 7), lambda k: k.Reshape((2, -1))),
    "SELU": ((7,), lambda k: k.Activation("selu")),
    "Sigmoid": ((7,), lambda k: k.Activation("sigmoid")),
    "Softmax": ((4, 7), lambda k: k.Softmax()),
    "Swish": ((7,), lambda k: k.Activation("swish")),
    "Tanh": ((7,), lambda k: k.Activation("tanh")),
    "Conv2DTranspose": (IMAGE, lambda k: k.Conv2DTranspose(4, 3, strides=2, padding="same")),
    "Dropout": ((7,), lambda k: k.Dropout(0.5)),
    "SimpleRNN": ((5, 3), lambda k: k.SimpleRNN(4, return_sequences=True)),
    "LSTM": ((5, 3), lambda k: k.LSTM(4, return_sequences=True)),
    "GRU": ((5, 3), lambda k: k.GRU(4)),
}
#: On two inputs of one shape.
MERGING: dict[str, Layer] = {
    "Add": lambda k: k.Add(),
    "Concatenate": lambda k: k.Concatenate(axis=1),
    "Multiply": lambda k: k.Multiply(),
    "Subtract": lambda k: k.Subtract(),
}
HAS_TF_KERAS = importlib.util.find_spec("tf_keras") is not None
PACKAGES = ["keras", pytest.param("tf_keras", marks=pytest.mark.skipif(not HAS_TF_KERAS, reason="no tf_keras"))]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5"),
    pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning"),
]


def drawn(model: Any) -> Any:
    """With weights that are not the zeros and ones of a fresh model."""
    generator = np.random.default_rng(3)
    model.set_weights([generator.uniform(0.1, 0.6, w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


def functional(package: str, name: str) -> Any:
    keras = importlib.import_module(package)
    if name in MERGING:
        inputs = [keras.Input((4, 7), name=n) for n in ("left", "right")]
        return drawn(keras.Model(inputs, MERGING[name](keras.layers)(inputs)))
    shape, layer = LAYERS[name]
    x = keras.Input(shape, name="x")
    return drawn(keras.Model(x, layer(keras.layers)(x)))


def sequential(package: str, name: str) -> Any:
    keras = importlib.import_module(package)
    shape, layer = LAYERS[name]
    return drawn(keras.Sequential([keras.Input(shape, name="x"), layer(keras.layers)]))


def saved(model: Any, package: str, folder: Path, stem: str) -> Path:
    """As its users have it: .keras of Keras 3, .h5 of Keras 2."""
    path = folder / f"{stem.replace(' ', '_')}{'.keras' if package == 'keras' else '.h5'}"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def fates(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """What becomes of each functional model's file, by package and kind, with the batch open as the files have it.

    All headers are compiled together; two files that give one ONNX share theirs.
    """
    packages = ["keras", *(["tf_keras"] if HAS_TF_KERAS else [])]
    owners: dict[tuple[str, str], str] = {}
    cases: dict[str, Case] = {}
    for package in packages:
        folder = tmp_path_factory.mktemp(package)
        for name in (*LAYERS, *MERGING):
            path = saved(functional(package, name), package, folder, name)
            form = form_of(load(path).model)
            owners[package, name] = form
            cases.setdefault(form, Case(name, package, partial(Made, path)))
    with Sofie() as sofie:
        found = dict(zip(cases, results(list(cases.values()), sofie, lambda *_: None), strict=True))
    return {key: "" if found[form].open.outcome == "right" else str(found[form].open) for key, form in owners.items()}


@pytest.mark.parametrize("package", PACKAGES)
def test_headers(package: str, fates: dict[tuple[str, str], str]) -> None:
    assert {name: words for (home, name), words in fates.items() if home == package and words} == {}


def test_every_kind_is_there() -> None:
    """The 22 names of the parser's table, and the five planned ones."""
    assert len({name.split()[0] for name in (*LAYERS, *MERGING)}) == 27


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("name", LAYERS)
def test_sequential_is_functional(name: str, package: str, tmp_path: Path) -> None:
    """Both forms give one ONNX: what holds for the one's header holds for the other's."""
    one, other = (load(saved(f(package, name), package, tmp_path, f.__name__)).model for f in (functional, sequential))
    assert form_of(one) == form_of(other)
