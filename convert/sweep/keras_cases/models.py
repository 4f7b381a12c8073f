"""Models rather than layers: Sequential, subclassed, nested, several inputs, a SavedModel as a layer."""

from __future__ import annotations

import tempfile
from typing import Any

from convert.sweep.case import Case
from convert.sweep.keras_cases.build import built


def cases() -> list[Case]:
    return [
        built("TFSMLayer", "of a SavedModel", (4,), _saved),
        built("Dense", "shared by two inputs", [(4,), (4,)], _shared),
        built("Dense", "in a nested Sequential", (4,), _nested),
        built("Conv2D", "then Flatten and Dense", (6, 5, 2), _flattened),
        built("LSTM", "DeepJet-like: Conv1D, LSTM backwards, Concatenate", [(6, 4), (3,)], _jet),
    ]


def _saved(keras: Any, x: Any) -> Any:
    """The folder is read when the layer is made, and not needed after."""
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu")])
    with tempfile.TemporaryDirectory(prefix="sofie-sweep-") as folder:
        inner.export(folder, verbose=False)
        return keras.layers.TFSMLayer(folder, call_endpoint="serve")(x)


def _shared(keras: Any, x: Any, y: Any) -> Any:
    dense = keras.layers.Dense(3)
    return keras.layers.Concatenate()([dense(x), dense(y)])


def _nested(keras: Any, x: Any) -> Any:
    inner = keras.Sequential([keras.layers.Dense(5, activation="relu"), keras.layers.Dense(4)])
    return keras.layers.Add()([x, inner(x)])


def _flattened(keras: Any, x: Any) -> Any:
    pooled = keras.layers.MaxPooling2D(2)(keras.layers.Conv2D(3, 2, activation="relu")(x))
    return keras.layers.Dense(4)(keras.layers.Flatten()(pooled))


def _jet(keras: Any, x: Any, y: Any) -> Any:
    found = keras.layers.Conv1D(5, 1, activation="relu")(keras.layers.BatchNormalization()(x))
    found = keras.layers.LSTM(4, go_backwards=True)(found)
    return keras.layers.Dense(2, activation="softmax")(keras.layers.Concatenate()([found, y]))
