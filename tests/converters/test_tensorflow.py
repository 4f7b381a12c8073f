"""TensorFlow beyond Keras: functions, modules and Sonnet to ONNX that gives their numbers, or a refusal that helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.errors import BadInput, ExportFailed
from convert.spec import Factory, TensorSpec
from converters import load
from converters.base import Loaded, LoadOptions
from sofie_bridge.reference import OnnxReference

pytest.importorskip("tf2onnx", reason="the extra keras is not installed")
tf: Any = pytest.importorskip("tensorflow", reason="the extra keras is not installed")

MODELS = Path(__file__).parents[1] / "helpers" / "tensorflow_models.py"


def factory(name: str, *inputs: str, translations: tuple[str, ...] = ()) -> Loaded:
    given = tuple(map(TensorSpec.parse, inputs))
    return load(Factory(f"{MODELS}:{name}"), LoadOptions(inputs=given, translations=translations))


def refusal(name: str, **options: Any) -> str:
    with pytest.raises(ExportFailed) as caught:
        factory(name, **options)
    return str(caught.value)


def agree(loaded: Loaded, **arrays: Any) -> dict[str, np.ndarray[Any, Any]]:
    """The ONNX model's answers, which are TensorFlow's."""
    assert loaded.reference is not None
    expected, found = loaded.reference(arrays), OnnxReference(loaded.model)(arrays)
    assert list(expected) == list(found)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6)
    return dict(found)


ROWS = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)


# --------------------------------------------------------------------------------------------------------- factories


def test_a_module_with_a_signature(shapes_of: Callable[..., Any]) -> None:
    loaded = factory("Dense")
    assert shapes_of(loaded.model) == {"x": ["N", 3]}
    assert set(agree(loaded, x=ROWS)) == {"raw", "scores"}


def test_a_module_without_a_signature() -> None:
    agree(factory("Plain", "x:float32[N,3]", "y:float32[N,3]"), x=ROWS, y=2 * ROWS)
    with pytest.raises(BadInput, match=r"--input 'x:float32"):
        factory("Plain")


def test_a_sonnet_module() -> None:
    sonnet = pytest.importorskip("sonnet", reason="sonnet is not installed: tox -e graphnets does")
    net = sonnet.nets.MLP([5, 2])
    agree(load(net, LoadOptions(inputs=(TensorSpec.parse("inputs:float32[N,3]"),))), inputs=ROWS)


def test_a_concrete_function_in_memory() -> None:
    function = tf.function(lambda a, b: {"sum": a + b, "difference": a - b}).get_concrete_function(
        tf.TensorSpec([2, 3], tf.float32, name="a"), tf.TensorSpec([3], tf.float32, name="b")
    )
    assert set(agree(load(function), a=ROWS[:2], b=ROWS[0])) == {"sum", "difference"}


def test_functions_are_traced_anew() -> None:
    """Of one that was called before, the trace is not taken; one that is compiled is not, here."""
    loaded = factory("called_before")
    assert [n.op_type for n in loaded.model.graph.node] == ["Mul"]
    np.testing.assert_array_equal(agree(loaded, x=ROWS)["output"], 2 * ROWS)


# ---------------------------------------------------------------------------------------------------------- segments


def segments(kind: str, ids: Any, shape: list[int | None], dtype: str, count: int | None) -> Loaded:
    """x and, where they are not constant, ids; ``count`` None: as many as the input z has rows."""

    def run(x: Any, i: Any, z: Any) -> Any:
        places = tf.constant(ids) if ids is not None else i
        return getattr(tf.math, f"unsorted_segment_{kind}")(x, places, tf.shape(z)[0] if count is None else count)

    specs = (
        tf.TensorSpec(shape, dtype, "x"), tf.TensorSpec(shape[:1], tf.int32, "i"),
        tf.TensorSpec([None if count is None else count, 1], tf.float32, "z"),
    )  # fmt: skip
    return load(tf.function(run, input_signature=specs))


@pytest.mark.parametrize("kind", ["sum", "prod", "max", "min", "mean", "sqrt_n"])
@pytest.mark.parametrize("dtype", ["float32", "int32", "float64"])
@pytest.mark.parametrize("known", [True, False])
def test_unsorted_segments(kind: str, dtype: str, *, known: bool) -> None:
    if kind == "sqrt_n" and dtype == "int32":
        pytest.skip("the square root of an integer is none")
    x = (np.random.default_rng(2).standard_normal((5, 3)) * 9).astype(dtype)
    i = np.array([3, 0, 3, -1, 0], np.int32)  # none is of 1 and 2; a negative one is left out
    loaded = segments(kind, None, [5, 3] if known else [None, 3], dtype, 4 if known else None)
    inputs = {v.name for v in loaded.model.graph.input}
    given = {"x": x, "i": i, "z": np.zeros((4, 1), np.float32)}
    found = agree(loaded, **{n: a for n, a in given.items() if n in inputs})["output"]
    if kind in ("max", "min"):
        bounds = np.finfo(dtype) if dtype != "int32" else np.iinfo(dtype)
        assert (found[1:3] == (bounds.min if kind == "max" else bounds.max)).all()


def test_segments_of_constant_numbers_and_of_one() -> None:
    x = np.arange(15, dtype=np.float32).reshape(5, 3)
    loaded = segments("sum", [1, 1, 0, 3, -1], [5, 3], "float32", 4)
    rest = {"i": np.zeros(5, np.int32), "z": np.zeros((4, 1), np.float32)}
    agree(loaded, x=x, **rest)
    one = segments("max", [0] * 5, [5, 3], "float32", 1)
    assert "ReduceMax" in {n.op_type for n in one.model.graph.node}
    assert agree(one, x=x, **rest | {"z": rest["z"][:1]})["output"].tolist() == [[12, 13, 14]]


def test_numbers_of_two_axes() -> None:
    @tf.function(input_signature=[tf.TensorSpec([2, 3, 4], tf.float32, "x"), tf.TensorSpec([2, 3], tf.int64, "i")])  # type: ignore[untyped-decorator]
    def run(x: Any, i: Any) -> Any:
        return tf.math.unsorted_segment_sum(x, i, 5)

    x = np.random.default_rng(3).standard_normal((2, 3, 4)).astype(np.float32)
    agree(load(run), x=x, i=np.array([[0, 4, -2], [4, 4, 1]]))


@pytest.mark.parametrize("kind", ["sum", "prod", "max", "min", "mean"])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_sorted_segments_of_constant_numbers(kind: str, dtype: str) -> None:
    """A segment without rows is 0, also of the largest; of a product it is 1."""

    @tf.function(input_signature=[tf.TensorSpec([5, 2], dtype, "x")])  # type: ignore[untyped-decorator]
    def run(x: Any) -> Any:
        return getattr(tf.math, f"segment_{kind}")(x, tf.constant([0, 0, 2, 2, 3]))

    x = -np.arange(1, 11).reshape(5, 2).astype(dtype)
    if kind == "mean" and dtype == "int32":
        x *= 2  # TensorFlow rounds towards zero and so does ONNX; the mean of two even numbers is one
    assert (agree(load(run), x=x)["output"][1] == (kind == "prod")).all()


# ---------------------------------------------------------------------------------------------------------- refusals


def test_an_operator_that_lacks_a_translation() -> None:
    """Which, where, of what, and a file to be filled in."""
    text = refusal("bessel")
    assert "the TensorFlow operator BesselI0e(float32[?,3] -> float32[?,3]), at tail/BesselI0e" in text
    assert "(and 1 more)" in text
    assert '@tensorflow("BesselI0e")\n        def bessel_i0e(g, node):' in text
    assert "--translations my_ops.py" in text
    many = refusal("three_that_lack")
    assert all(f"operator {name}(" in many for name in ("Lgamma", "Xlog1py", "Digamma"))
    assert "x, y = node.inputs" in many


def test_the_skeleton_is_python_and_is_taken(tmp_path: Path) -> None:
    """As it is printed, it is a file of translations: what it says then is that it is not filled in."""
    text = refusal("three_that_lack")
    lines = text.splitlines()
    start = next(k for k, line in enumerate(lines) if line.strip().startswith("from converters"))
    end = next(k for k, line in enumerate(lines) if k > start and line.startswith("  the TensorFlow"))
    path = tmp_path / "my_ops.py"
    path.write_text("\n".join(line[8:] for line in lines[start:end]))
    again = refusal("three_that_lack", translations=(str(path),))
    assert again.count("NotImplementedError") == 3
    assert f"{path}:" in again


@pytest.mark.parametrize(("name", "operator"), [("python_inside", "EagerPyFunc"), ("numpy_inside", "PyFunc")])
def test_python_in_the_graph(name: str, operator: str) -> None:
    text = refusal(name)
    assert f"Python code in the graph, {operator}(float32[?,3]" in text
    assert f"at middle/{operator}" in text
    assert "onnx_operator" in text
    assert "more)" not in text


def test_numpy_on_a_tensor_of_the_trace() -> None:
    text = refusal("numpy_outside")
    assert "to a numpy array" in text
    assert f"{MODELS}:" in text
    assert "onnx_operator" in text


def test_strings() -> None:
    text = refusal("strings")
    assert "StringLength(string[?,3] -> int32[?,3])" in text
    assert "cut the layer off" in text
    assert "--translations" not in text


def test_a_translation_of_the_projects_that_refuses() -> None:
    """One finding: the operators behind it, which tf2onnx passes over then, are not at fault."""
    text = refusal("open_segments")
    assert "SegmentSum(float32[?,3], int32[?]" in text
    assert "unsorted_segment_sum" in text
    assert text.count("because:") == 1


def test_a_loop_that_tf2onnx_leaves() -> None:
    """It knows the operators, and passes over those that it cannot place."""
    pytest.importorskip("sonnet", reason="sonnet is not installed: tox -e graphnets does")
    text = refusal("unrolled")
    assert "the translation of the TensorFlow operator While(" in text
    assert "TensorListSetItem(?[], int32[], float32[7,8] -> ?[])" in text
    assert "tf2onnx left it as it is" in text
    assert "--translations" not in text


def test_a_handler_of_tf2onnx_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """tf2onnx itself would go on without a word."""
    from tf2onnx.onnx_opset import math

    def fails(*_: Any, **__: Any) -> None:
        raise ValueError("no such thing")

    monkeypatch.setattr(math.Softmax, "version_13", fails)
    from tf2onnx.handler import tf_op

    original = tf_op.create_mapping
    monkeypatch.setattr(tf_op, "create_mapping", lambda *a: {**original(*a), "Softmax": (fails, {})})
    text = refusal("Dense")
    assert "the translation of the TensorFlow operator Softmax(float32[?,2] -> float32[?,2]) failed" in text
    assert f"ValueError: no such thing, in {__file__}:" in text


# ------------------------------------------------------------------------------------------- translations of the user's


def translations(folder: Path, body: str) -> tuple[str]:
    path = folder / "my_ops.py"
    path.write_text(
        "import numpy as np\nfrom converters.translations import tensorflow\n\n"
        f'@tensorflow("BesselI0e")\ndef bessel(g, node):\n    (x,) = node.inputs\n    {body}\n'
    )
    return (str(path),)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return 1 / 0", "ZeroDivisionError: division by zero, in {file}:7"),
        ("return g.Exp(x).no", "AttributeError"),
        ("return None", "it gives None, and not the name of a tensor"),
        ("return [g.Exp(x), x]", "it gives 2 tensors for the operator's 1 outputs"),
        ("return g.Expp(x)", "ONNX has no operator Expp, which a translation made, at tail/BesselI0e"),
        ("raise NotImplementedError('only of the first kind')", "only of the first kind, in {file}:7"),
        ("return node.shape(x)[9]", "IndexError: tuple index out of range, in {file}:7"),
    ],
)
def test_a_translation_that_is_wrong(tmp_path: Path, body: str, says: str) -> None:
    given = translations(tmp_path, body)
    assert says.format(file=given[0]) in refusal("bessel", translations=given)


def test_a_translation_of_wrong_numbers_of_inputs(tmp_path: Path) -> None:
    from convert.errors import LoadError

    with pytest.raises(LoadError, match="BesselI0e"):
        factory("bessel", translations=translations(tmp_path, "return g.Exp(x, x)"))
