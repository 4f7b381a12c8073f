"""The light networks inside the onnx package: the headers give the outputs that it ships with them.

They are networks of the ImageNet days in the opsets of then. Where the trained ones have large weights, these have
ConstantOfShape, so that most of the shipped outputs are a thousand equal numbers; the same networks with weights that
differ from each other are converted besides, and held against onnxruntime.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.backend.test.loader import DATA_DIR, load_model_tests
from onnx.backend.test.runner import Runner

import convert
import sofie_bridge
from sofie_bridge.isolate import run_header

FOLDER = Path(DATA_DIR) / "light"
#: onnx's own list of them, with the tolerance of each: rtol is 2e-3 for DenseNet and 1e-3 for the others, atol 1e-7.
TESTS = {t.model_name: t for t in load_model_tests(kind="real")}

QUICK = ("shufflenet", "squeezenet")
#: Tens of seconds each: large weights, and seven sets of inputs to compare on.
LONG = ("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "vgg19", "zfnet512")
NAMES = [
    *(pytest.param(name, marks=pytest.mark.slow) for name in QUICK),
    *(pytest.param(name, marks=pytest.mark.sweep) for name in LONG),
]


def test_no_network_is_left_out() -> None:
    assert sorted(TESTS) == sorted((*QUICK, *LONG)) == sorted(f.stem[6:] for f in FOLDER.glob("*.onnx"))


@pytest.mark.parametrize("name", NAMES)
def test_gives_the_outputs_shipped_with_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the BLAS kernels that every x86 has: of a thousand equal numbers in front of a Softmax, others round some
    differently, and the largest takes it all.
    """
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")  # read when a BLAS is loaded: in the header's own process
    path = tmp_path / f"{name}.hxx"
    report = convert.convert(FOLDER / f"light_{name}.onnx", output=path)
    assert report.verified
    with sofie_bridge.load(path) as header:
        (image,) = header.inputs
    ((found,),) = (run.values() for run in run_header(path, path.with_suffix(".dat"), [{image.name: given(name)}]))
    expected = numpy_helper.to_array(onnx.load_tensor(FOLDER / f"light_{name}_output_0.pb"))
    np.testing.assert_allclose(found, expected, rtol=TESTS[name].rtol, atol=TESTS[name].atol)


@pytest.mark.parametrize("name", NAMES)
def test_is_right_with_weights_that_differ(name: str, tmp_path: Path) -> None:
    report = convert.convert(with_random_weights(name), output=tmp_path / f"{name}.hxx")
    assert report.verified
    with sofie_bridge.load(tmp_path / f"{name}.hxx") as header:
        (found,) = header(given(name)).values()
    assert np.unique(found).size > found.size // 10


def given(name: str) -> np.ndarray:
    """The input, by onnx's own runner: numbers rising from 0 to 1."""
    graph = onnx.load_model(FOLDER / f"light_{name}.onnx").graph
    weights = {i.name for i in graph.initializer}
    (image,) = (i for i in graph.input if i.name not in weights)
    array: np.ndarray = Runner.generate_dummy_data(image)
    return array


def with_random_weights(name: str) -> onnx.ModelProto:
    """The network with weights that keep the variance of what they are applied to where it has ConstantOfShape."""
    model = onnx.load_model(FOLDER / f"light_{name}.onnx")
    random = np.random.default_rng(0)
    shapes = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    made = list(_weights(model, shapes, random))
    kept = [n for n in model.graph.node if n.op_type != "ConstantOfShape"]
    graph = onnx.GraphProto(node=kept)
    del model.graph.node[:]
    model.graph.node.extend(graph.node)
    model.graph.initializer.extend(made)
    model.ir_version = 8  # from 4 on, initializers need not be inputs
    return model


def _weights(
    model: onnx.ModelProto, shapes: dict[str, np.ndarray], random: np.random.Generator
) -> Iterator[onnx.TensorProto]:
    for node in model.graph.node:
        if node.op_type == "ConstantOfShape":
            shape = tuple(int(n) for n in shapes[node.input[0]])
            deviation = prod(shape[1:]) ** -0.5 if len(shape) > 1 else 0.1
            array = random.normal(float(len(shape) == 1), deviation, shape).astype(np.float32)
            yield numpy_helper.from_array(array, node.output[0])
