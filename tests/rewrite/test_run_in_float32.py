"""Doubles and 16-bit floats where the target has none: the model runs in float32, and says so."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from rewrite.api import rewrite_model
from rewrite.graph import OPSET
from rewrite.passes.run_in_float32 import STANDS_FOR, dtypes_of, run_in_float32
from rewrite.target import Verdict

FLOAT = onnx.TensorProto.FLOAT
TEXT = "({kind}[3] x) => ({kind}[3] y) <{kind}[3] c = {{1, 2, 3}}> {{ z = Add(x, c) y = Exp(z) }}"


def parse(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": {OPSET}]> g {text}')


class NoSuchFloats:
    """A target that has float32 alone."""

    name = "the fake"
    merges: frozenset[tuple[str, str]] = frozenset()

    def judge(self, probe: onnx.ModelProto) -> Verdict:
        kinds = {i.type.tensor_type.elem_type for i in (*probe.graph.input, *probe.graph.output)}
        return Verdict(not kinds & set(STANDS_FOR.values()), "no such floats here")


@pytest.mark.parametrize(("kind", "name"), [("double", "float64"), ("float16", "float16"), ("bfloat16", "bfloat16")])
def test_where_there_is_no_other_way(kind: str, name: str) -> None:
    model = parse(TEXT.format(kind=kind))
    rewritten = rewrite_model(model, NoSuchFloats())
    assert rewritten.in_float32 == {name}
    assert dtypes_of(model) == {name}
    assert dtypes_of(rewritten.model) == frozenset()
    assert {i.type.tensor_type.elem_type for i in (*rewritten.model.graph.input, *rewritten.model.graph.output)} == {
        FLOAT
    }
    assert model.graph.input[0].type.tensor_type.elem_type != FLOAT, "the exported model is left as it is"


def test_what_the_target_takes_stays() -> None:
    class Takes(NoSuchFloats):
        def judge(self, probe: onnx.ModelProto) -> Verdict:
            return Verdict(True)

    assert rewrite_model(parse(TEXT.format(kind="double")), Takes()).in_float32 == frozenset()
    wanted = rewrite_model(parse(TEXT.format(kind="double")), Takes(), in_float32=frozenset(STANDS_FOR))
    assert dtypes_of(wanted.model) == frozenset()


def test_finite_numbers_stay_finite() -> None:
    """A mask of the lowest double would be -inf, and -inf times 0 is no number."""
    model = parse("(double[3] x) => (double[3] y) { y = Add(x, c) }")
    array = np.array([np.finfo(np.float64).min, np.inf, 1.5])
    model.graph.initializer.append(numpy_helper.from_array(array, "c"))
    run_in_float32(model, frozenset({"float64"}))
    held = numpy_helper.to_array(model.graph.initializer[0])
    assert held.dtype == np.float32
    assert held.tolist() == [float(np.finfo(np.float32).min), np.inf, 1.5]


def test_casts_and_values_inside_attributes() -> None:
    model = parse(
        "(float[3] x) => (float[3] y) { d = Cast<to=11>(x) c = Constant<value=double[1]{2}>() m = Mul(d, c) "
        "h = Cast<to=16>(m) y = Cast<to=1>(h) }"
    )
    run_in_float32(model, frozenset({"float64", "bfloat16"}))
    onnx.checker.check_model(model, full_check=True)
    assert [a.i for n in model.graph.node for a in n.attribute if a.name == "to"] == [FLOAT] * 3


def test_a_model_that_reads_bits_is_refused() -> None:
    model = parse("(double[3] x) => (int64[3] y) { z = Exp(x) y = BitCast<to=7>(z) }")
    rewritten = rewrite_model(model, NoSuchFloats(), analysis=True)
    assert rewritten.stuck
    assert rewritten.in_float32 == frozenset()


def test_bfloat16_weights_keep_their_values() -> None:
    model = parse("(bfloat16[3] x) => (bfloat16[3] y) { y = Add(x, c) }")
    array = np.array([1.5, -3.0, 0.1], ml_dtypes.bfloat16)
    model.graph.initializer.append(numpy_helper.from_array(array, "c"))
    run_in_float32(model, frozenset({"bfloat16"}))
    assert numpy_helper.to_array(model.graph.initializer[0]).tolist() == array.astype(np.float32).tolist()
