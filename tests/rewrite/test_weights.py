"""Large weights: set aside while a model is copied and checked, and put back as they were."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper
from small_models import assert_same_numbers, parse

from rewrite.api import prepare
from rewrite.graph import Graph
from rewrite.passes.infer_shapes import infer_shapes
from rewrite.passes.run_in_float32 import STANDS_FOR
from rewrite.weights import LARGE, put_back, set_aside

SIDE = 128
assert SIDE * SIDE >= LARGE


def model_with(text: str, dtype: type[np.generic] = np.float32) -> onnx.ModelProto:
    """The graph of ``text``, with ``w``, a large matrix, and ``b``, a small vector."""
    model = parse(text)
    random = np.random.default_rng(0)
    for name, shape in (("w", (SIDE, SIDE)), ("b", (SIDE,))):
        array = (random.standard_normal(shape) / SIDE**0.5).astype(dtype)
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    return model


PLAIN = "(float[2,128] x) => (float[2,128] y) { h = MatMul(x, w) y = Add(h, b) }"
TWICE = "(float[2,128] x) => (float[2,128] y) { h = MatMul(x, w) k = MatMul(h, w) y = Add(k, b) }"
GIVEN = "(float[2,128] x) => (float[2,128] y, float[128,128] w) { h = MatMul(x, w) y = Add(h, b) }"
INSIDE = ("(float[2,128] x, bool c) => (float[2,128] y) { y = If(c) <"
          "then_branch = g1 () => (float[2,128] t) { t = MatMul(x, w) },"
          "else_branch = g2 () => (float[2,128] e) { e = Add(x, b) }> }")  # fmt: skip


def test_a_large_weight_is_an_input_until_it_is_put_back() -> None:
    model = model_with(PLAIN)
    before = model.SerializeToString(deterministic=True)
    light, aside = set_aside(model)
    assert list(aside) == ["w"]
    assert [i.name for i in light.graph.input] == ["x", "w"]
    assert [t.name for t in light.graph.initializer] == ["b"]
    onnx.checker.check_model(light, full_check=True)
    put_back(light, aside.items())
    assert [i.name for i in light.graph.input] == ["x"]
    assert {t.name: t for t in light.graph.initializer} == {t.name: t for t in model.graph.initializer}
    assert model.SerializeToString(deterministic=True) == before


def test_types_that_are_to_change_stay() -> None:
    model = model_with(PLAIN.replace("float", "double"), np.float64)
    assert set_aside(model, stay=[onnx.TensorProto.DOUBLE])[1] == {}
    assert prepare(model, frozenset({"float64"})).write().graph.initializer[0].data_type == onnx.TensorProto.FLOAT
    assert STANDS_FOR["float64"] == onnx.TensorProto.DOUBLE


def test_what_is_an_output_too_stays() -> None:
    assert set_aside(model_with(GIVEN))[1] == {}


def test_the_numbers_stay_and_the_model_is_not_touched() -> None:
    random = np.random.default_rng(1)
    for text in (PLAIN, TWICE, GIVEN, INSIDE):
        model = model_with(text)
        before = model.SerializeToString(deterministic=True)
        arrays = {"x": random.standard_normal((2, SIDE)).astype(np.float32)}
        if text is INSIDE:
            arrays["c"] = np.array(True)
        written = prepare(model).write()
        assert_same_numbers(model, written, arrays, rtol=1e-6, atol=1e-6)
        assert model.SerializeToString(deterministic=True) == before
        assert [i.name for i in written.graph.input] == list(arrays)


def test_a_check_sees_the_model_without_its_weights() -> None:
    graph = Graph.read(infer_shapes(model_with(PLAIN)))
    seen: list[int] = []

    def check(model: onnx.ModelProto) -> onnx.ModelProto:
        seen.append(model.ByteSize())
        onnx.checker.check_model(model, full_check=True)
        return model

    written = graph.write(check)
    assert seen[0] < 4 * LARGE < written.ByteSize()
    assert graph.write() == written


def test_values_are_written_as_raw_bytes() -> None:
    model = parse(PLAIN)
    held = np.arange(SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
    model.graph.initializer.append(
        onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, (SIDE, SIDE), held.ravel().tolist())
    )
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(SIDE, np.float32), "b"))
    assert not model.graph.initializer[0].raw_data
    written = {t.name: t for t in prepare(model).write().graph.initializer}
    assert written["w"].raw_data == held.tobytes()
