"""Keras models and TensorFlow functions in memory: names, orders, dimensions, and the numbers of the exported ONNX."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from code_files import module_of

from convert.errors import BadInput, BadModel, MissingPackage, UnknownFile
from convert.spec import Factory, TensorSpec
from converters import Loaded, LoadOptions, load

pytest.importorskip("tensorflow")
import keras
import tensorflow as tf
from keras import Input, Model, Sequential, layers

Shapes = Callable[..., dict[str, list[int | str]]]
HERE = Path(__file__).parent


models = module_of(HERE / "keras_models.py")


def given(*texts: str, **options: Any) -> LoadOptions:
    return LoadOptions(inputs=tuple(TensorSpec.parse(text) for text in texts), **options)


def agree(loaded: Loaded, rows: int = 3) -> None:
    """onnxruntime on the exported model against the framework: rtol 1e-5, atol 1e-6."""
    rng = np.random.default_rng(0)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(loaded.model.SerializeToString(), options)
    arrays: dict[str, Any] = {}
    for value in session.get_inputs():
        shape = [d if isinstance(d, int) else rows for d in value.shape]
        whole = value.type in ("tensor(int32)", "tensor(int64)")
        kind = np.dtype({"tensor(int32)": "int32", "tensor(int64)": "int64"}.get(value.type, "float32"))
        arrays[value.name] = (rng.integers(0, 9, shape) if whole else rng.normal(size=shape)).astype(kind)
    assert loaded.reference is not None
    expected = loaded.reference(arrays)
    names = [v.name for v in session.get_outputs()]
    assert list(expected) == names
    for name, found in zip(names, session.run(names, arrays), strict=True):
        np.testing.assert_allclose(found, expected[name], rtol=1e-5, atol=1e-6, strict=True)


def calls_itself(model: Any, loaded: Loaded, *arguments: Any, **named: Any) -> None:
    """The reference is the model itself, called as its user calls it: by values, so that no two inputs are swapped."""
    flat = [np.asarray(a) for a in tf.nest.flatten((arguments, named))]
    names = [v.name for v in loaded.model.graph.input]
    assert loaded.reference is not None
    found = loaded.reference(dict(zip(names, flat, strict=True)))
    for one, other in zip(found.values(), tf.nest.flatten(model(*arguments, **named)), strict=True):
        np.testing.assert_array_equal(one, np.asarray(other))


EXPECTED: dict[str, tuple[dict[str, list[int | str]], list[str]]] = {
    "functional": ({"x": ["N", 4]}, ["scores"]),
    "sequential": ({"x": ["N", 4]}, ["scores"]),
    "several": ({"right": ["N", 3], "left": ["N", 4]}, ["sum", "hidden"]),
    "dicts": ({"a": ["N", 4], "b": ["N", 3]}, ["inner", "total"]),
    "nested": ({"x": ["N", 4]}, ["out"]),
    "shared": ({"a": ["N", 4], "b": ["N", 4]}, ["shared", "shared_1"]),
    "input_is_output": ({"x": ["N", 4]}, ["x_output", "scores"]),
    "unused_input": ({"y": ["N", 3], "x": ["N", 4]}, ["scores"]),
    "two_from_one_layer": ({"x": ["N", 5, 3]}, ["lstm", "lstm_1", "lstm_2"]),
    "same_twice": ({"x": ["N", 4]}, ["scores", "scores_1"]),
    "regularised": ({"image": ["N", 8, 8, 3]}, ["scores"]),
    "integers": ({"ids": ["N", 6]}, ["scores"]),
    "subclassed": ({"x": ["N", 4]}, ["hidden", "score"]),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_forms(name: str, shapes_of: Shapes) -> None:
    loaded = load(models.MODELS[name]())
    inputs, outputs = EXPECTED[name]
    assert shapes_of(loaded.model) == inputs
    assert list(shapes_of(loaded.model)) == list(inputs)
    assert [v.name for v in loaded.model.graph.output] == outputs
    agree(loaded)


def test_every_form_is_expected() -> None:
    assert set(models.MODELS) == {*EXPECTED, "sequential_without_input"}


def test_sequential_without_input(shapes_of: Shapes) -> None:
    loaded = load(models.MODELS["sequential_without_input"]())
    ((name, shape),) = shapes_of(loaded.model).items()
    assert name.startswith("input_layer")  # Keras counts its own up
    assert shape == ["N", 4]
    agree(loaded)


def test_unbuilt_sequential() -> None:
    model = Sequential([layers.Dense(2)])
    with pytest.raises(BadInput, match="--input"):
        load(model)
    loaded = load(model, given("inputs:float32[N,4]"))
    agree(loaded)


def test_the_reference_is_the_model() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(2, n)).astype(np.float32) for n in (4, 3))
    several, dicts = models.MODELS["several"](), models.MODELS["dicts"]()
    calls_itself(several, load(several), [b, a])
    calls_itself(dicts, load(dicts), {"a": a, "b": b})


def test_a_layer_with_its_input() -> None:
    agree(load(layers.Dense(3, activation="relu"), given("inputs:float32[N,4]")))


# --- what the user says of the inputs --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        (given("x:float32[M,4]"), ["M", 4]),
        (given("float32[2,4]"), [2, 4]),
        (given(batch=3), [3, 4]),
        (given("x:float32[B,4]", batch=3), [3, 4]),
    ],
)
def test_batch_is_named_or_fixed(options: LoadOptions, shape: list[int | str], shapes_of: Shapes) -> None:
    loaded = load(models.MODELS["functional"](), options)
    assert shapes_of(loaded.model) == {"x": shape}
    agree(loaded)


def test_the_batch_of_one_input_is_that_of_all(shapes_of: Shapes) -> None:
    loaded = load(models.MODELS["several"](), given("left:float32[M,4]"))
    assert shapes_of(loaded.model) == {"right": ["M", 3], "left": ["M", 4]}


def test_open_axes_get_names(shapes_of: Shapes) -> None:
    x = Input((None, 3), name="tracks")
    loaded = load(Model(x, layers.Dense(2, name="out")(x)))
    assert shapes_of(loaded.model) == {"tracks": ["N", "tracks_1", 3]}
    fixed = load(Model(x, layers.Dense(2, name="out")(x)), given("tracks:float32[N,7,3]"))
    assert shapes_of(fixed.model) == {"tracks": ["N", 7, 3]}
    agree(fixed)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (given("x:float64[N,4]"), "has the dtype float32, not float64"),
        (given("x:float32[N,5]"), "fixed size 4, not 5"),
        (given("x:float32[N]"), "has 2 axes, not 1"),
        (given("y:float32[N,4]"), "there is no input y"),
        (given("x:float32[0,4]"), "size 0"),
        (given("x:float32[2,4]", batch=3), "given as 2 and as 3"),
    ],
)
def test_inputs_that_do_not_fit(options: LoadOptions, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        load(models.MODELS["functional"](), options)
    assert "x:float32[?,4]" in str(caught.value)


def test_a_batch_that_is_fixed_already() -> None:
    x = Input(batch_shape=(2, 4), name="x")
    model = Model(x, layers.Dense(1)(x))
    agree(load(model, given(batch=2)))
    with pytest.raises(BadInput, match="the batch cannot be 3: the first axes of the inputs are 2"):
        load(model, given(batch=3))


# --- examples and subclassed models ----------------------------------------------------------------------------------


def test_examples_come_along() -> None:
    a, b = np.ones((2, 4), np.float32), np.zeros((2, 3), np.float32)
    for example in ((b, a), ([b, a],), ({"left": a, "right": b},)):
        (kept,) = load(models.MODELS["several"](), LoadOptions(example=example)).examples
        np.testing.assert_array_equal(kept["left"], a)
        np.testing.assert_array_equal(kept["right"], b)


@pytest.mark.parametrize("example", [(np.ones((2, 4)),), (np.ones((2, 4)), np.ones((2, 3)))])
def test_examples_that_do_not_fit(example: tuple[Any, ...]) -> None:
    with pytest.raises(BadInput, match="example"):
        load(models.MODELS["several"](), LoadOptions(example=example))


def test_two_arguments(shapes_of: Shapes) -> None:
    model = models.TwoArguments()
    loaded = load(model, given("left:float32[N,4]", "right:float32[N,3]"))
    assert shapes_of(loaded.model) == {"left": ["N", 4], "right": ["N", 3]}
    agree(loaded)
    example = (np.ones((2, 4), np.float32), np.zeros((2, 3), np.float32))
    by_example = load(model, LoadOptions(example=example))
    assert shapes_of(by_example.model) == {"left": ["N", 4], "right": ["N", 3]}
    calls_itself(model, by_example, *example)


@pytest.mark.parametrize(
    ("name", "texts", "names"),
    [
        ("OneDict", ("right:float32[N,3]", "left:float32[N,4]"), ["right", "left"]),
        ("OneList", ("inputs_0:float32[N,4]", "inputs_1:float32[N,3]"), ["inputs_0", "inputs_1"]),
        ("OneList", ("float32[N,4]", "float32[N,3]"), ["inputs_0", "inputs_1"]),
    ],
)
def test_one_argument_of_many_tensors(name: str, texts: tuple[str, ...], names: list[str], shapes_of: Shapes) -> None:
    loaded = load(getattr(models, name)(), given(*texts))
    assert list(shapes_of(loaded.model)) == names
    agree(loaded)


def test_a_subclassed_model_without_inputs() -> None:
    with pytest.raises(BadInput, match=r"--input 'left:float32\[N,7\]' --input 'right:float32\[N,7\]'"):
        load(models.TwoArguments())


# --- TensorFlow ------------------------------------------------------------------------------------------------------


class Scaled(tf.Module):  # type: ignore[misc]  # tensorflow has no annotations
    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable([[1.0, 2.0], [3.0, 4.0]])

    @tf.function(input_signature=[tf.TensorSpec([None, 2], name="events"), tf.TensorSpec([None, 2], name="weights")])  # type: ignore[untyped-decorator]
    def __call__(self, events: Any, weights: Any) -> Any:
        return {"sum": tf.matmul(events, self.w) + weights, "raw": events * weights}


def test_a_module(shapes_of: Shapes) -> None:
    loaded = load(Scaled())
    assert shapes_of(loaded.model) == {"events": ["N", 2], "weights": ["N", 2]}
    assert [v.name for v in loaded.model.graph.output] == ["raw", "sum"]
    agree(loaded)


def test_functions(shapes_of: Shapes) -> None:
    module = Scaled()
    with_signature = type(module).__call__.__get__(module, type(module))
    concrete = with_signature.get_concrete_function()
    for function in (with_signature, concrete):
        loaded = load(function)
        assert sorted(shapes_of(loaded.model)) == ["events", "weights"]
        agree(loaded)
    free = tf.function(lambda x, y: (tf.nn.relu(x) + y, y))
    with pytest.raises(BadInput, match="--input 'x:float32"):
        load(free)
    loaded = load(free, given("x:float32[N,3]", "y:float32[3]"))
    assert shapes_of(loaded.model) == {"x": ["N", 3], "y": [3]}
    assert [v.name for v in loaded.model.graph.output] == ["output_0", "output_1"]
    agree(loaded)


def test_a_signature_without_a_rank(shapes_of: Shapes) -> None:
    function = tf.function(tf.nn.relu, input_signature=[tf.TensorSpec(None, name="x")])
    with pytest.raises(BadInput, match="how many axes the input x has"):
        load(function)
    loaded = load(function, given("x:float32[K,2]"))
    assert shapes_of(loaded.model) == {"x": ["K", 2]}
    agree(loaded)


FACTORIES = """
import keras, tensorflow as tf
def model():
    return keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(2)])
@tf.function(input_signature=[tf.TensorSpec([None, 4], name="x")])
def function(x):
    return tf.nn.softmax(x)
class Module(tf.Module):
    def __call__(self, x):
        return x * 2.0
def module():
    return Module()
def nothing():
    return 3
"""


@pytest.mark.parametrize("factory", ["model", "function", "module"])
def test_factories(factory: str, tmp_path: Path) -> None:
    (tmp_path / "made_here.py").write_text(FACTORIES)
    loaded = load(Factory(f"{tmp_path / 'made_here.py'}:{factory}"), given("x:float32[N,4]"))
    assert [v.name for v in loaded.model.graph.input] == ["x"]
    agree(loaded)


def test_a_factory_of_no_model(tmp_path: Path) -> None:
    (tmp_path / "made_here.py").write_text(FACTORIES)
    with pytest.raises(UnknownFile, match="int"):
        load(Factory(f"{tmp_path / 'made_here.py'}:nothing"))


# --- refused ---------------------------------------------------------------------------------------------------------


def test_stateful_layers() -> None:
    x = Input(batch_shape=(2, 5, 3))
    model = Model(x, layers.LSTM(4, stateful=True, name="memory")(x))
    with pytest.raises(BadModel, match=r"state[\s\S]*layer memory is stateful"):
        load(model)


def test_strings() -> None:
    x = Input((1,), dtype="string", name="words")
    model = Model(x, layers.StringLookup(vocabulary=["a", "b"])(x))
    with pytest.raises(BadModel, match="input words has the dtype string"):
        load(model)


def test_sparse_inputs() -> None:
    x = Input((4,), sparse=True, name="x")
    with pytest.raises(BadModel, match="input x is sparse"):
        load(Model(x, layers.Dense(2)(x)))


def test_another_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    model = models.MODELS["functional"]()
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(MissingPackage, match="KERAS_BACKEND=tensorflow"):
        load(model)


@pytest.mark.parametrize("package", ["tensorflow", "tf2onnx"])
def test_a_missing_package(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = models.MODELS["functional"]()
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == package else find(name, *rest))
    monkeypatch.delitem(sys.modules, package)
    with pytest.raises(MissingPackage, match=rf"{package} needed[\s\S]*\[keras\]"):
        load(model)
