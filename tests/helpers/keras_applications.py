"""Networks of keras.applications in small, with weights that are not trivial: for tests, and for the zoo."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

CLASSES = 10
#: Standard deviation of the outputs over the images: the larger, the sharper; with 1, EfficientNetV2B0 itself moves by the
#: tolerance when its inputs move by four units in the last place.
SPREAD = 0.5
#: Share of the mean that a batch normalisation takes away.
KEPT = 0.05


@dataclass(frozen=True)
class Net:
    """A network in small: only the sizes that its family allows, and ten classes.

    :param pixels: it scales its input itself, from 0 to 255.
    :param damped: factor on the variance that its batch normalisations divide by, against chaos: a random
        EfficientNetV2B0 makes 0.45 of a change of 1e-6, and none of the frameworks agrees with another then.
    """

    name: str
    size: int
    pixels: bool = False
    damped: float = 1.0
    options: tuple[tuple[str, Any], ...] = ()


#: The smallest of each family.
NETS = [
    Net("MobileNet", 64, options=(("alpha", 0.25),)),
    Net("MobileNetV2", 64),
    Net("MobileNetV3Small", 64, pixels=True),
    Net("EfficientNetB0", 64, pixels=True),
    Net("EfficientNetV2B0", 64, pixels=True, damped=1.1),
    Net("ResNet50", 64),
    Net("ResNet50V2", 64),
    Net("DenseNet121", 64),
    Net("InceptionV3", 75),
    Net("Xception", 75),
    Net("NASNetMobile", 64),
    Net("ConvNeXtTiny", 64, pixels=True),
    Net("VGG16", 32),
]


def images(net: Net, count: int = 3) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Noise on squares of other brightness, in the net's own range."""
    generator = np.random.default_rng(7)
    shape = (count, net.size, net.size, 3)
    coarse = np.kron(generator.standard_normal((count, 4, 4, 3)), np.ones((1, -(-net.size // 4), -(-net.size // 4), 1)))
    values = coarse[:, : net.size, : net.size] + 0.3 * generator.standard_normal(shape)
    return np.asarray(np.clip(128 + 64 * values, 0, 255) if net.pixels else values, np.float32)


def built(net: Net, build: Callable[..., Any] | None = None) -> Any:
    """The model with biases and scales that are not trivial, statistics as after training, and outputs that tell images apart.

    Without the statistics of its own activations a net of this depth gives the same for all images. Without its softmax:
    what is near 0 or 1/10 after that would hide what is wrong before.

    :param build: the network's function; by default that of its name.
    """
    import keras

    build = build or getattr(keras.applications, net.name)
    keras.backend.clear_session()
    keras.utils.set_random_seed(5)
    options = dict(net.options) | {"weights": None, "classes": CLASSES, "classifier_activation": None}
    made = build(input_tensor=keras.Input((net.size, net.size, 3), name="image"), **options)
    model = keras.Model(made.inputs[0], made.outputs[0])  # some families make a list of the one input
    generator = np.random.default_rng(11)
    for variable in model.weights:
        if variable.path.endswith("gamma"):
            variable.assign(generator.uniform(0.7, 1.2, variable.shape))
        elif variable.path.endswith("beta"):
            variable.assign(generator.normal(0, 0.1, variable.shape))
        elif variable.path.endswith("bias"):  # small: VGG16 has nothing that takes the sum of them away
            variable.assign(generator.normal(0, 0.02, variable.shape))
        elif variable.path.endswith("kernel"):
            variable.assign(np.sqrt(2) * variable.numpy())  # what half of the numbers being 0 behind a Relu takes
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
    model(images(net), training=True)
    for layer in norms:  # normalised wholly, random nets are chaotic: rounding grows from layer to layer
        mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
        layer.moving_mean.assign(KEPT * mean)
        layer.moving_variance.assign(net.damped * (variance + ((1 - KEPT) * mean) ** 2))
    head = next(v for v in reversed(model.weights) if len(v.shape) > 1)
    bias = next((v for v in reversed(model.weights) if v.path.endswith("bias")), None)
    outputs = model.predict(images(net), verbose=0)
    head.assign(SPREAD * head.numpy() / (outputs - outputs.mean(axis=0)).std())
    assert bias is not None
    return model


#: ``keras_applications.py:MobileNet`` is the finished model.
globals().update({net.name: partial(built, net) for net in NETS})
