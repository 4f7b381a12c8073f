"""The sweep of Keras: every class of ``keras.layers`` and every function of ``keras.activations``."""

from __future__ import annotations

import inspect
from functools import cache
from importlib import metadata

from convert.sweep.case import Case
from convert.sweep.keras_cases import (
    activation,
    attention,
    convolution,
    dense,
    images,
    models,
    normalization,
    pooling,
    preprocessing,
    recurrent,
)

#: What has no numbers to compare, and why.
EXCLUDED = {
    "keras.layers.Layer": "the base class: it computes nothing",
    "keras.layers.Wrapper": "the base class of wrappers: it computes nothing",
    "keras.layers.InputSpec": "a description of inputs, no layer",
    "keras.layers.FlaxLayer": "runs on Keras's JAX backend only: convert the Flax module itself",
    "keras.layers.JaxLayer": "runs on Keras's JAX backend only: convert the JAX function itself",
    "keras.layers.TorchModuleWrapper": "runs on Keras's PyTorch backend only: convert the PyTorch module itself",
}

_FAMILIES = (
    dense, convolution, pooling, normalization, activation, attention, recurrent, preprocessing, images, models,
)  # fmt: skip


def title() -> str:
    """Versions of what is swept."""
    tensorflow = next(d for d in ("tensorflow", "tensorflow-cpu") if _installed(d))
    return f"Keras {metadata.version('keras')}, TensorFlow {metadata.version(tensorflow)}"


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


@cache
def cases() -> tuple[Case, ...]:
    return tuple(c for family in _FAMILIES for c in family.cases())


def names() -> list[str]:
    """Classes of ``keras.layers``, each by one name, and functions of ``keras.activations``."""
    import keras

    classes: dict[type, str] = {}
    for name, value in sorted(vars(keras.layers).items()):
        if inspect.isclass(value):
            own = value.__name__
            classes.setdefault(value, own if getattr(keras.layers, own, None) is value else name)
    helpers = ("deserialize", "get", "serialize")  # of configurations
    functions = [n for n, v in vars(keras.activations).items() if callable(v) and n not in helpers]
    return [*(f"keras.layers.{n}" for n in classes.values()), *(f"keras.activations.{n}" for n in functions)]


def excluded() -> dict[str, str]:
    return EXCLUDED
