"""Activations: layers, and functions of ``keras.activations``."""

from __future__ import annotations

from typing import Any

from convert.sweep.case import Case
from convert.sweep.keras_cases.build import built, each

SHAPE = (6, 4)

#: Functions, each with the arguments to be tried beside the defaults.
FUNCTIONS: dict[str, list[dict[str, Any]]] = {
    "celu": [{}, {"alpha": 0.6}],
    "elu": [{}, {"alpha": 0.3}],
    "exponential": [{}],
    "gelu": [{}, {"approximate": True}],
    "glu": [{}, {"axis": 1}],
    "hard_shrink": [{}, {"threshold": 0.2}],
    "hard_sigmoid": [{}],
    "hard_silu": [{}],
    "hard_swish": [{}],
    "hard_tanh": [{}],
    "leaky_relu": [{}, {"negative_slope": 0.4}],
    "linear": [{}],
    "log_sigmoid": [{}],
    "log_softmax": [{}, {"axis": 1}],
    "mish": [{}],
    "relu": [{}, {"negative_slope": 0.1}, {"max_value": 1.5}, {"threshold": 0.5},
             {"negative_slope": 0.2, "max_value": 1.0, "threshold": 0.25}],
    "relu6": [{}],
    "selu": [{}],
    "sigmoid": [{}],
    "silu": [{}],
    "soft_shrink": [{}, {"threshold": 0.2}],
    "softmax": [{}, {"axis": 1}],
    "softplus": [{}],
    "softsign": [{}],
    "sparse_plus": [{}],
    "sparse_sigmoid": [{}],
    "sparsemax": [{}],
    "squareplus": [{}, {"b": 1}],
    "swish": [{}],
    "tanh": [{}],
    "tanh_shrink": [{}],
    "threshold": [{"threshold": 0.3, "default_value": -1.0}],
}  # fmt: skip


def cases() -> list[Case]:
    return [
        *(_function(name, arguments) for name, variants in FUNCTIONS.items() for arguments in variants),
        *(_in_dense(name) for name in FUNCTIONS if name not in ("glu", "threshold")),
        *each("Activation", SHAPE, {"activation": "tanh"}, {"activation": "softmax"}, {"activation": "gelu"}),
        *each("ELU", SHAPE, {}, {"alpha": 0.4}),
        *each("LeakyReLU", SHAPE, {}, {"negative_slope": 0.1}),
        *each("PReLU", SHAPE, {}, {"shared_axes": [1]}),
        *each("PReLU", (5, 6, 3), {"shared_axes": [1, 2]}),
        *each("ReLU", SHAPE, {}, {"max_value": 1.0}, {"negative_slope": 0.2}, {"threshold": 0.5}),
        *each("ReLU", SHAPE, {"max_value": 2.0, "negative_slope": 0.1, "threshold": 0.3}),
        *each("Softmax", SHAPE, {}, {"axis": 1}, {"axis": (1, 2)}),
        built("Softmax", "mask", [SHAPE, SHAPE], lambda k, x, m: k.layers.Softmax()(x, mask=m),
              dtype=("float32", "bool")),
    ]  # fmt: skip


def _function(name: str, arguments: dict[str, Any]) -> Case:
    words = ", ".join(f"{k}={v}" for k, v in arguments.items())

    def call(k: Any, x: Any) -> Any:
        function = getattr(k.activations, name)
        return k.layers.Activation(lambda t: function(t, **arguments))(x)

    return built(f"keras.activations.{name}", words, SHAPE, call)


def _in_dense(name: str) -> Case:
    return built(f"keras.activations.{name}", "in Dense", (3,), lambda k, x: k.layers.Dense(4, activation=name)(x))
