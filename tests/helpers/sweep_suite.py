"""A suite for the sweep's driver: one case of each kind of ending."""

from __future__ import annotations

import os
from typing import Any

from convert.sweep.case import Case, Made


def title() -> str:
    return "Small 1.0"


def names() -> list[str]:
    return ["small.Dense", "small.Strings", "small.Crash", "small.Forgotten", "small.Base"]


def excluded() -> dict[str, str]:
    return {"small.Base": "computes nothing", "small.Gone": "is there no more"}


def cases() -> tuple[Case, ...]:
    return (
        Case("small.Crash", "exit", lambda: os._exit(3)),  # before a framework is imported, to be quick
        Case("small.Dense", "relu", dense),
        Case("small.Dense", "other numbers when run", _two_faced),
        Case("small.Strings", "upper", _strings, refuses="string"),
        Case("small.Strings", "expected otherwise", _strings, refuses="tables"),
        Case("small.Crash", "raise", _raise),
    )


def dense() -> Made:
    import keras

    keras.utils.set_random_seed(1)
    return Made(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu")]))


def _two_faced() -> Made:
    """Traced, it doubles; run, it trebles."""
    import keras
    import tensorflow as tf

    class TwoFaced(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * (3.0 if tf.executing_eagerly() else 2.0)

    return Made(keras.Sequential([keras.Input((4,)), TwoFaced()]))


def _strings() -> Made:
    import keras

    inputs = keras.Input((4,), dtype="string")
    return Made(keras.Model(inputs, keras.layers.StringLookup(vocabulary=["a", "b"])(inputs)))


def _raise() -> Made:
    raise ValueError("no such layer")
