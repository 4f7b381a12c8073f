"""A model in doubles beside its float32 twin: whose arrays are whose, and what they are held to."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from rewrite.graph import OPSET
from rewrite.passes.run_in_float32 import run_in_float32
from sofie_bridge.compare import Tolerance
from sofie_bridge.ports import Ports
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import Sample


def parse(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": {OPSET}]> g {text}')


def twins(kind: str) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    model = parse(f"({kind}[2] x, int64[2] i) => ({kind}[2] y, int64[2] j) {{ y = Exp(x) j = Abs(i) }}")
    other = onnx.ModelProto()
    other.CopyFrom(model)
    run_in_float32(other, frozenset({"float64", "float16"}))
    return model, other


def test_given_arrays_follow_the_rewritten_dtypes() -> None:
    ports = Ports(*twins("double"))
    given = ports.given({"x": np.ones(2), "i": np.ones(2, np.int64), "strange": np.ones(1, np.int8)})
    assert {n: str(a.dtype) for n, a in given.items()} == {"x": "float32", "i": "int64", "strange": "int8"}
    assert str(ports.given({"x": np.ones(2, np.float16)})["x"].dtype) == "float16", "it fits neither: the check says so"


def test_samples_are_what_both_can_hold() -> None:
    ports = Ports(*twins("float16"))
    arrays = {"x": np.array([0.1, 3.0], np.float32), "i": np.array([1, 2])}
    rounded = ports.rounded(Sample("random 0", arrays)).arrays["x"]
    assert rounded.dtype == np.float32
    assert rounded.tolist() == np.array([0.1, 3.0], np.float16).astype(np.float32).tolist() != [0.1, 3.0]


def test_a_reference_is_asked_in_its_own_dtypes() -> None:
    model, other = twins("double")
    answers = Ports(model, other).asked(OnnxReference(model))({"x": np.zeros(2, np.float32), "i": np.array([-1, 2])})
    assert (str(answers["y"].dtype), answers["y"].tolist()) == ("float32", [1.0, 1.0])
    assert (str(answers["j"].dtype), answers["j"].tolist()) == ("int64", [1, 2])


@pytest.mark.parametrize("kind", ["double", "float16"])
def test_tolerances_are_the_coarser_dtype_s(kind: str) -> None:
    ports = Ports(*twins(kind))
    coarser = {"double": "float32", "float16": "float16"}[kind]
    assert ports.tolerance("y", "header vs exported") == Tolerance.of(np.dtype(coarser))
    assert ports.tolerance("y", "sofie") == Tolerance.of(np.dtype(np.float32))
    assert ports.tolerance("j", "header vs exported") == Tolerance(0, 0)
    assert ports.in_float32("y")
    assert not ports.in_float32("j")


def test_inputs_of_no_elements_are_given_to_the_exported_model_alone() -> None:
    model = parse("(float[2] x, float[0] e) => (float[2] y) { y = Concat<axis=0>(x, e) }")
    other = parse("(float[2] x) => (float[2] y) { y = Identity(x) }")
    ports = Ports(model, other)
    x = np.ones(2, np.float32)
    assert list(ports.given({"x": x, "e": np.empty(0, np.float32)})) == ["x"]
    assert ports.asked(OnnxReference(model))({"x": x})["y"].tolist() == [1.0, 1.0]


def test_axes_in_another_order() -> None:
    """The exported model is channels last, the rewritten one channels first."""
    model = parse("(float[2,4,5,3] x, float[3] c) => (float[2,4,5,3] y) { y = Mul(x, c) }")
    other = parse("(float[2,3,4,5] x, float[3] c) => (float[2,3,4,5] y) { y = Identity(x) }")
    ports = Ports(model, other, {"x": (0, 3, 1, 2), "y": (0, 3, 1, 2)})
    x, c = np.random.default_rng(1).standard_normal((2, 4, 5, 3)).astype(np.float32), np.array([1, 2, 3], np.float32)
    given = ports.given({"x": x, "c": c})
    np.testing.assert_array_equal(given["x"], np.moveaxis(x, -1, 1))
    np.testing.assert_array_equal(given["c"], c)
    answers = ports.asked(OnnxReference(model))(given)
    np.testing.assert_array_equal(answers["y"], np.moveaxis(x * c, -1, 1))
    assert answers["y"].flags.c_contiguous


def test_an_array_of_another_rank_is_left_to_the_check() -> None:
    model = parse("(float[2,4,5,3] x) => (float[2,4,5,3] y) { y = Neg(x) }")
    flat = np.ones((2, 60), np.float32)
    assert Ports(model, model, {"x": (0, 3, 1, 2)}).given({"x": flat})["x"].shape == (2, 60)


def test_mixed_precision_is_held_to_the_coarser_dtype() -> None:
    """A float32 output of float16 arithmetic has no more digits than that; the header of the float32 model has."""
    mixed = parse("(float[2] x, int64[1] i) => (float[2] y, int64[1] j)"
                  " { h = Cast<to=10>(x) e = Exp(h) y = Cast<to=1>(e) j = Neg(i) }")  # fmt: skip
    plain = parse("(float[2] x, int64[1] i) => (float[2] y, int64[1] j) { y = Exp(x) j = Neg(i) }")
    ports = Ports(mixed, plain)
    assert ports.tolerance("y", "header vs exported") == Tolerance.of(np.dtype(np.float16))
    assert ports.tolerance("y", "sofie") == Tolerance.of(np.dtype(np.float32))
    assert ports.tolerance("j", "header vs exported") == Tolerance(0, 0)
    assert Ports(plain, plain).tolerance("y", "header vs exported") == Tolerance.of(np.dtype(np.float32))
