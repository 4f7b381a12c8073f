"""Networks of keras.applications: the header is right, and all transposes left are at the model's own ports."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed (the extra [keras])")
keras = pytest.importorskip("keras", reason="Keras is not installed (the extra [keras])")

import convert  # noqa: E402
from convert.request import Layout  # noqa: E402

#: What a header is held to, relative and absolute.
TOLERANCE = 1e-4
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


def built(net: Net, build: Callable[..., Any]) -> Any:
    """The model with biases and scales that are not trivial, statistics as after training, and outputs that tell images apart.

    Without the statistics of its own activations a net of this depth gives the same for all images. Without its softmax:
    what is near 0 or 1/10 after that would hide what is wrong before.
    """
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


def inner_transposes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Transposes that neither read an input of the model nor make an output of it."""
    inputs, outputs = {i.name for i in model.graph.input}, {o.name for o in model.graph.output}
    found = [n for n in model.graph.node if n.op_type == "Transpose"]
    return [n for n in found if n.input[0] not in inputs and n.output[0] not in outputs]


def check(net: Net, tmp_path: Path, record: list[tuple[str, object]], *, layout: Layout = "as-given") -> None:
    model = built(net, getattr(keras.applications, net.name))
    given = images(net)
    answers = model.predict(given, verbose=0)
    spread = (answers - answers.mean(axis=0)).std()
    assert 0.8 < spread / SPREAD < 1.25, "the outputs are to depend on the image"
    report = convert.convert(
        model,
        output=tmp_path / f"{net.name}.hxx",
        samples={"image": given},
        rtol=TOLERANCE,
        atol=TOLERANCE,
        layout=layout,
    )
    assert report.verified
    assert report.verification is not None
    assert "user" in report.verification.samples
    assert report.rewritten is not None
    record.append(("seconds", {s.name: round(s.seconds, 1) for s in report.stages}))
    record.append(("errors", {m.edge: (m.absolute, m.relative) for m in report.verification.measured}))
    left = [n for n in report.rewritten.model.graph.node if n.op_type == "Transpose"]
    assert inner_transposes(report.rewritten.model) == []
    assert len(left) == (0 if layout == "nchw" else 1)
    shape = report.inputs[0].shape[1:]
    assert shape == ((3, net.size, net.size) if layout == "nchw" else (net.size, net.size, 3))


@pytest.mark.sweep
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.name)
def test_to_a_header(net: Net, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    check(net, tmp_path, request.node.user_properties)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["as-given", "nchw"])
def test_mobilenet(layout: Layout, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    check(Net("MobileNet", 32, options=(("alpha", 0.25),)), tmp_path, request.node.user_properties, layout=layout)


def test_inner_transposes_are_found() -> None:
    """The count of transposes can fail."""
    nodes = [
        onnx.helper.make_node("Transpose", ["x"], ["a"], perm=[1, 0]),
        onnx.helper.make_node("Relu", ["a"], ["b"]),
        onnx.helper.make_node("Transpose", ["b"], ["c"], perm=[1, 0]),
        onnx.helper.make_node("Relu", ["c"], ["d"]),
        onnx.helper.make_node("Transpose", ["d"], ["y"], perm=[1, 0]),
    ]
    x, y = (onnx.helper.make_tensor_value_info(n, 1, [2, 3]) for n in ("x", "y"))
    found = inner_transposes(onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [x], [y])))
    assert [n.input[0] for n in found] == ["b"]
