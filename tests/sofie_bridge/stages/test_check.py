"""C++ of a user's that is wrong: what is said of it, and where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from small_models import arrays_for, parse

from convert.custom import CustomOperator
from convert.errors import BadOperator, BadSamples, WrongOperator
from sofie_bridge import toolchain
from sofie_bridge.emit import Emitted
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import Sample, make_samples
from sofie_bridge.stages.check import check_operators

Staged = Callable[..., tuple[onnx.ModelProto, Emitted]]

ALONE = "(float[N,4] x) => (float[N,4] y) { y = test.Scale<by=2.0>(x) }"
LOOP = "i < x.size()"


def checked(staged: Staged, operators: dict[str, CustomOperator], tmp_path: Path, old: str, new: str) -> None:
    operator = operators["Scale"]
    assert old in operator.code
    operator.header = tmp_path / "scale.hpp"
    operator.header.write_text("#pragma once" + operator.code.replace(old, new))
    operator.code = ""
    model, emitted = staged(ALONE)
    samples = [s for s in make_samples(model) if s.name == "random 0"]
    check_operators(model, emitted, samples, toolchain.find())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("node.attributes.by", "node.attributes.to", r"scale.hpp:8:\d+: error: .*has no member named .to"),
        ("std::span<float const> x", "std::span<double const> x", "no matching function for call to .*Scale::Compute"),
        (LOOP, "i + 1 < x.size()", "it leaves 1 of the 20 elements unwritten"),
        (
            LOOP + "; ++i)\n         y[i] = x[i]",
            "i <= x.size(); ++i)\n         y.data()[i] = x.data()[0]",
            "writes outside",
        ),
        pytest.param(
            LOOP + "; ++i)\n         y[i]",
            "i < x.size() + 1; ++i)\n         y[i]",
            "Assertion|bounds|hardening",
            marks=pytest.mark.sweep,
        ),
    ],
    ids=["member", "signature", "unwritten", "outside", "bounds"],
)
def test_what_is_said(
    old: str, new: str, message: str, staged: Staged, operators: dict[str, CustomOperator], tmp_path: Path
) -> None:
    if toolchain.find().family != "gcc" and "Assertion" in message:
        pytest.skip("what a checked span says is the C++ library's")
    with pytest.raises(WrongOperator, match=message):
        checked(staged, operators, tmp_path, old, new)


@pytest.mark.parametrize(
    ("reference", "error", "message"),
    [
        (lambda x, *, by: x[:1], BadOperator, r"gives float32\[1, 4\]; it is declared to be float32\[5,4\]"),
        (lambda x, *, by: x > 0, BadOperator, "gives bool"),
        (lambda x, *, by: (), BadOperator, "gives 0 outputs, the node has 1"),
        (lambda x, *, by: x.nothing, BadSamples, "AttributeError: .*nothing.*test_check.py"),
    ],
)
def test_a_numpy_implementation_that_is_wrong(
    reference: object, error: type[Exception], message: str, operators: dict[str, CustomOperator]
) -> None:
    operators["Scale"].reference = reference  # type: ignore[assignment]
    model = parse(ALONE, domains={"test": 1})
    with pytest.raises(error, match=message):
        OnnxReference(model)(arrays_for(model, size=5))


def test_cpp_that_does_not_come_through(operators: dict[str, CustomOperator]) -> None:
    """Where it is its own reference: that says that the inputs are none for it, and the process lives on."""
    scale = operators["Scale"]
    stop = 'if (x.size() > 8) throw std::runtime_error("too many"); if (x.size() > 4) __builtin_trap();'
    scale.code = "#include <stdexcept>\n" + scale.code.replace("for (", stop + " for (", 1)
    scale.reference = None
    model = parse(ALONE, domains={"test": 1})
    reference = OnnxReference(model)
    with pytest.raises(BadSamples, match="too many"):
        reference(arrays_for(model, size=3))
    with pytest.raises(BadSamples, match="it crashed with SIG"):
        reference(arrays_for(model, size=2))
    assert reference(arrays_for(model, size=1))["y"].shape == (1, 4)


def test_doubles_of_numpy_are_taken(operators: dict[str, CustomOperator]) -> None:
    operators["Scale"].reference = lambda x, *, by: x * __import__("numpy").float64(by)
    model = parse(ALONE, domains={"test": 1})
    assert OnnxReference(model)(arrays_for(model))["y"].dtype == "float32"


def test_in_a_body_onnx_s_evaluator_runs_them(operators: dict[str, CustomOperator]) -> None:
    text = """(float[2,4] x) => (float[2,4] y) <int64 n={3}, bool c={1}> {
        y = Loop(n, c, x) <body = b (int64 i, bool k, float[2,4] v) => (bool l, float[2,4] w) {
            l = Identity(k) u = test.Scale<by=0.5>(v) w = Neg(u) }> }"""
    model = parse(text, domains={"test": 1})
    arrays = arrays_for(model)
    reference = OnnxReference(model)
    assert reference.name == "onnx.reference"
    assert (reference(arrays)["y"] == arrays["x"] * -0.125).all()


def test_nothing_is_compiled_without_custom_operators() -> None:
    model = onnx.ModelProto()
    emitted: Emitted = None  # type: ignore[assignment]
    check_operators(model, emitted, [Sample("random 0", {})], toolchain.find())
