"""Activations: modules, functions, and those that work in place."""

from __future__ import annotations

from typing import Any

from convert.sweep.case import Case
from convert.sweep.torch_cases.build import each, function, module

SHAPE = ("N", 4, 6)

#: Modules, each with the arguments to be tried.
MODULES: dict[str, list[dict[str, Any]]] = {
    "CELU": [{}, {"alpha": 0.6}],
    "ELU": [{}, {"alpha": 0.3}],
    "GELU": [{}, {"approximate": "tanh"}],
    "GLU": [{}, {"dim": 1}],
    "Hardshrink": [{}, {"lambd": 0.2}],
    "Hardsigmoid": [{}],
    "Hardswish": [{}],
    "Hardtanh": [{}, {"min_val": -0.5, "max_val": 0.25}],
    "LeakyReLU": [{}, {"negative_slope": 0.4}],
    "LogSigmoid": [{}],
    "LogSoftmax": [{"dim": -1}, {"dim": 1}],
    "Mish": [{}],
    "PReLU": [{}, {"num_parameters": 4}],
    "RReLU": [{}, {"lower": 0.2, "upper": 0.6}],
    "ReLU": [{}, {"inplace": True}],
    "ReLU6": [{}],
    "SELU": [{}],
    "SiLU": [{}, {"inplace": True}],
    "Sigmoid": [{}],
    "Softmax": [{"dim": -1}, {"dim": 1}, {"dim": 0}],
    "Softmin": [{"dim": -1}, {"dim": 1}],
    "Softplus": [{}, {"beta": 2.0, "threshold": 5.0}],
    "Softshrink": [{}, {"lambd": 0.2}],
    "Softsign": [{}],
    "Tanh": [{}],
    "Tanhshrink": [{}],
    "Threshold": [{"threshold": 0.3, "value": -1.0}],
    "Identity": [{}],
    "Dropout": [{"p": 0.3}],
    "Dropout1d": [{"p": 0.3}],
    "AlphaDropout": [{"p": 0.3}],
    "FeatureAlphaDropout": [{"p": 0.3}],
}

FUNCTIONS: dict[str, list[dict[str, Any]]] = {
    "celu": [{}, {"alpha": 0.6}],
    "elu": [{}, {"alpha": 0.3}],
    "gelu": [{}, {"approximate": "tanh"}],
    "glu": [{}, {"dim": 1}],
    "hardshrink": [{}, {"lambd": 0.2}],
    "hardsigmoid": [{}],
    "hardswish": [{}],
    "hardtanh": [{}, {"min_val": -0.5, "max_val": 0.25}],
    "leaky_relu": [{}, {"negative_slope": 0.4}],
    "logsigmoid": [{}],
    "log_softmax": [{"dim": -1}, {"dim": 1}],
    "mish": [{}],
    "relu": [{}, {"inplace": True}],
    "relu6": [{}],
    "rrelu": [{}, {"lower": 0.2, "upper": 0.6}],
    "selu": [{}],
    "sigmoid": [{}],
    "silu": [{}],
    "softmax": [{"dim": -1}, {"dim": 1}],
    "softmin": [{"dim": -1}, {"dim": 1}],
    "softplus": [{}, {"beta": 2.0, "threshold": 5.0}],
    "softshrink": [{}, {"lambd": 0.2}],
    "softsign": [{}],
    "tanh": [{}],
    "tanhshrink": [{}],
    "threshold": [{"threshold": 0.3, "value": -1.0}],
    "dropout": [{"p": 0.3, "training": False}],
    "dropout1d": [{"p": 0.3, "training": False}],
    "alpha_dropout": [{"p": 0.3, "training": False}],
    "feature_alpha_dropout": [{"p": 0.3, "training": False}],
    "normalize": [{}, {"p": 1.0, "dim": 2}],
}

#: In place: on a tensor that is the model's own.
IN_PLACE: dict[str, dict[str, Any]] = {
    "celu_": {"alpha": 0.6},
    "elu_": {},
    "hardtanh_": {},
    "leaky_relu_": {"negative_slope": 0.4},
    "relu_": {},
    "rrelu_": {},
    "selu_": {},
    "threshold_": {"threshold": 0.3, "value": -1.0},
}


def cases() -> list[Case]:
    return [
        *(module(name, SHAPE, **given) for name, variants in MODULES.items() for given in variants),
        *(function(name, SHAPE, **given) for name, variants in FUNCTIONS.items() for given in variants),
        *(function(name, SHAPE, prepare=[lambda t: t * 2], **given) for name, given in IN_PLACE.items()),
        *each(function, "prelu", SHAPE, {"weights": {"weight": (1,)}}, {"weights": {"weight": (4,)}, "words": "of 4"}),
        module("Softmax2d", ("N", 4, 3, 5)),
        module("Dropout2d", ("N", 4, 3, 5), p=0.3),
        module("Dropout3d", ("N", 4, 3, 2, 5), p=0.3),
        function("dropout2d", ("N", 4, 3, 5), p=0.3, training=False),
        function("dropout3d", ("N", 4, 3, 2, 5), p=0.3, training=False),
        module("ReLU", (), words="a scalar"),
        module("Softmax", ("N", 4, 3, 5), dim=1, words="rank 4"),
    ]
