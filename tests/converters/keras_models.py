"""Small Keras models of every form, by name, each with seeded weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import Input, Model, Sequential, layers

MODELS: dict[str, Callable[[], Any]] = {}


def model(function: Callable[[], Any]) -> Callable[[], Any]:
    """Register, with the same weights in every run."""

    def made() -> Any:
        keras.utils.set_random_seed(0)
        return function()

    MODELS[function.__name__] = made
    return made


@keras.saving.register_keras_serializable(package="tests")
class Halves(Model):  # type: ignore[misc]  # keras has no annotations
    """A subclassed model: dropout while training, two outputs by name."""

    def __init__(self, units: int = 4, **options: Any) -> None:
        super().__init__(**options)
        self.units = units
        self.hidden, self.drop, self.out = layers.Dense(units), layers.Dropout(0.5), layers.Dense(2)

    def call(self, x: Any, training: Any = None) -> Any:
        h = self.drop(keras.ops.relu(self.hidden(x)), training=training)
        return {"score": self.out(h), "hidden": h}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


class TwoArguments(Model):  # type: ignore[misc]
    """Two tensors, by position."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, left: Any, right: Any, scale: float = 2.0) -> Any:
        return self.dense(left) * scale + right


class OneDict(Model):  # type: ignore[misc]
    """A dict of tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs["left"]) + inputs["right"]


class OneList(Model):  # type: ignore[misc]
    """A list of tensors, and a list of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, inputs: Any) -> Any:
        return [self.dense(inputs[0]), inputs[1] * 2]


@model
def functional() -> Any:
    x = Input((4,), name="x")
    return Model(x, layers.Dense(2, name="scores")(layers.Dense(5, activation="relu")(x)))


@model
def sequential() -> Any:
    return Sequential([Input((4,), name="x"), layers.Dense(5, activation="tanh"), layers.Dense(2, name="scores")])


@model
def sequential_without_input() -> Any:
    made = Sequential([layers.Dense(5, activation="tanh"), layers.Dense(2, name="scores")])
    made.build((None, 4))
    return made


@model
def several() -> Any:
    """Two inputs, in an order that is not the alphabet's; two outputs, one of them inside."""
    right, left = Input((3,), name="right"), Input((4,), name="left")
    hidden = layers.Dense(3, name="hidden")(left)
    return Model([right, left], [layers.Add(name="sum")([hidden, right]), hidden])


@model
def dicts() -> Any:
    b, a = Input((3,), name="b"), Input((4,), name="a")
    hidden = layers.Dense(3, name="hidden")(a)
    return Model({"b": b, "a": a}, {"total": layers.Add()([hidden, b]), "inner": hidden})


@model
def nested() -> Any:
    inner = Sequential([Input((4,)), layers.Dense(4, activation="relu"), layers.Dense(4)], name="block")
    x = Input((4,), name="x")
    return Model(x, layers.Add(name="out")([inner(inner(x)), x]))


@model
def shared() -> Any:
    a, b = Input((4,), name="a"), Input((4,), name="b")
    dense = layers.Dense(3, activation="sigmoid", name="shared")
    return Model([a, b], [dense(a), dense(b)])


@model
def input_is_output() -> Any:
    x = Input((4,), name="x")
    return Model(x, [x, layers.Dense(2, name="scores")(x)])


@model
def unused_input() -> Any:
    x, y = Input((4,), name="x"), Input((3,), name="y")
    return Model([y, x], layers.Dense(2, name="scores")(x))


@model
def two_from_one_layer() -> Any:
    x = Input((5, 3), name="x")
    return Model(x, layers.LSTM(4, return_sequences=True, return_state=True, name="lstm")(x))


@model
def same_twice() -> Any:
    x = Input((4,), name="x")
    y = layers.Dense(2, name="scores")(x)
    return Model(x, [y, y])


@model
def regularised() -> Any:
    """What differs between training and evaluation, and a compiled model with a loss."""
    x = Input((8, 8, 3), name="image")
    h = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(x))
    h = layers.GaussianNoise(0.5)(layers.Dropout(0.5)(layers.ReLU()(h)))
    made = Model(x, layers.Dense(2, name="scores")(layers.GlobalAveragePooling2D()(h)))
    made.compile("adam", "mse")
    return made


@model
def integers() -> Any:
    ids = Input((6,), dtype="int32", name="ids")
    return Model(ids, layers.Dense(2, name="scores")(layers.Flatten()(layers.Embedding(10, 3)(ids))))


@model
def subclassed() -> Any:
    made = Halves(name="halves")
    made(keras.ops.zeros((1, 4)))
    return made
