"""Normalizations."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.sweep.case import Case
from convert.sweep.keras_cases.build import built, each, layer


def cases() -> list[Case]:
    image = (5, 6, 4)
    axes: dict[str, Any] = {"axis": (1, 2)}
    return [
        *each("BatchNormalization", image, {}, {"axis": 1}, {"scale": False}, {"center": False}, {"epsilon": 0.1}),
        *each("BatchNormalization", (7,), {}, {"center": False, "scale": False}, words="rank 2"),
        *each("BatchNormalization", (6, 4), {}, {"axis": 1}, words="rank 3"),
        *each("BatchNormalization", (3, 4, 5, 2), {}, words="rank 5"),
        built("BatchNormalization", "after Conv2D", image,
              lambda k, x: k.layers.BatchNormalization()(k.layers.Conv2D(3, 3)(x))),
        built("BatchNormalization", "masked", (6, 4),
              lambda k, x: k.layers.BatchNormalization()(k.layers.Masking()(x))),
        *each("LayerNormalization", (6, 4), {}, {"axis": 1}, axes, {"center": False}, {"scale": False},
              {"epsilon": 0.1}),
        layer("LayerNormalization", image, axis=-1, words="rank 4"),
        layer("LayerNormalization", (7,), words="rank 2"),
        *each("GroupNormalization", image, {"groups": 2}, {"groups": -1}, {"groups": 1}, {"scale": False},
              {"center": False}),
        *each("GroupNormalization", (6, 4), {"groups": 2}, {"groups": 3, "axis": 1}, words="rank 3"),
        *each("RMSNormalization", (6, 4), {}, axes, {"epsilon": 0.1}),  # along others, Keras 3.15 itself fails
        *each("UnitNormalization", (6, 4), {}, {"axis": 1}, axes),
        *each("Normalization", (4,), {"mean": [1.0, 2.0, 0.5, -1.0], "variance": [1.0, 0.25, 4.0, 2.0]},
              {"invert": True}),
        layer("Normalization", (6, 4), axis=None, mean=0.5, variance=2.0),
        layer("Normalization", (3, 4), axis=1, mean=[1.0, 2.0, 3.0], variance=[1.0, 2.0, 4.0]),
        built("Normalization", "adapted", (6, 4), _adapted),
        built("SpectralNormalization", "of Dense", (5,),
              lambda k, x: k.layers.SpectralNormalization(k.layers.Dense(3))(x)),
        built("SpectralNormalization", "of Conv2D, power_iterations=3", image,
              lambda k, x: k.layers.SpectralNormalization(k.layers.Conv2D(3, 3), power_iterations=3)(x)),
    ]  # fmt: skip


def _adapted(keras: Any, x: Any) -> Any:
    made = keras.layers.Normalization()
    made.adapt(np.random.default_rng(3).normal(2, 3, (50, 6, 4)).astype(np.float32))
    return made(x)
