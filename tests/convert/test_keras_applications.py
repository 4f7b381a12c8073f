"""Networks of keras.applications: the header is right, and all transposes left are at the model's own ports."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from keras_applications import NETS, SPREAD, Net, built, images

pytest.importorskip("tensorflow", reason="TensorFlow is not installed (the extra [keras])")
keras = pytest.importorskip("keras", reason="Keras is not installed (the extra [keras])")

import convert  # noqa: E402
from convert.request import Layout  # noqa: E402

#: What a header is held to, relative and absolute.
TOLERANCE = 1e-4


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
