"""ONNX to header: weights in each of their places, shared constants apart, and failures that name the node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from small_models import arrays_for, parse

from convert.errors import SofieCrashed, SofieRefused, WrongShapes
from rewrite.passes.infer_shapes import infer_shapes
from sofie_bridge import emit as module
from sofie_bridge.emit import Weights, emit, with_cpp_names
from sofie_bridge.header import load
from sofie_bridge.reference import OnnxReference
from sofie_bridge.sofie import Sofie
from sofie_bridge.truncate import truncated
from sofie_bridge.worker import Answer, Request

MLP = """(float[2,3] x) => (float[2,3] y) <float[3,3] w={1,-2,3,4,5,-6,7,8,9}, float[3] b={0.5,-1,2}>
    { h = MatMul(x, w) a = Add(h, b) r = Relu(a) g = MatMul(r, w) y = Add(g, b) }"""


def model(text: str) -> onnx.ModelProto:
    return infer_shapes(parse(text))


@pytest.fixture(scope="module")
def sofie() -> Iterator[Sofie]:
    with Sofie() as sofie:
        yield sofie


@pytest.mark.parametrize(("weights", "suffix"), [("file", ".dat"), ("embed", ""), ("safetensors", ".safetensors")])
def test_weights(weights: Weights, suffix: str, tmp_path: Path, sofie: Sofie) -> None:
    emitted = emit(model(MLP), "net", tmp_path, sofie, weights=weights)
    assert emitted.header == tmp_path / "net.hxx"
    assert emitted.weights == (tmp_path / f"net{suffix}" if suffix else None)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["net.hxx", "net.onnx"] + [f"net{suffix}"] * bool(suffix)
    )
    assert emitted.onnx == tmp_path / "net.onnx"
    text = emitted.header.read_text()
    assert "namespace SOFIE_net" in text
    assert "Code generated automatically" not in text, "the date makes every header another"
    arrays = arrays_for(parse(MLP))
    with load(emitted.header, emitted.weights, optimise="-O0") as header:
        got = header(**arrays)["y"]
    np.testing.assert_allclose(got, OnnxReference(model(MLP))(arrays)["y"], rtol=1e-4, atol=1e-5)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path, sofie: Sofie) -> None:
    texts = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        emitted = emit(model(MLP), "net", tmp_path / name, sofie)
        assert emitted.weights is not None
        texts.append(emitted.header.read_bytes() + emitted.weights.read_bytes())
    assert texts[0] == texts[1]


def test_shared_constants_are_given_to_each_reader() -> None:
    named = with_cpp_names(model(MLP), "net")
    read = [n for node in named.model.graph.node for n in node.input]
    held = {i.name: numpy_helper.to_array(i) for i in named.model.graph.initializer}
    assert len(held) == 4
    assert all(read.count(n) == 1 for n in held)
    onnx.checker.check_model(named.model, full_check=True)
    arrays = arrays_for(parse(MLP))
    np.testing.assert_array_equal(OnnxReference(named.model)(arrays)["y"], OnnxReference(model(MLP))(arrays)["y"])


def test_large_shared_constants_stay_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARED", 3)
    assert len(with_cpp_names(model(MLP), "net").model.graph.initializer) == 3


def test_one_node_may_read_a_constant_twice() -> None:
    named = with_cpp_names(
        model("(float[2] x) => (float[2] y) <float[2] w={1,2}> { a = Add(w, w) y = Add(a, x) }"), "n"
    )
    assert len(set(named.model.graph.node[0].input)) == 2


def test_names_of_copies_are_free() -> None:
    text = """(float[2] x) => (float[2] y) <float[2] w={1,2}, float[2] w_copy={3,4}>
        { a = Add(x, w) b = Add(a, w) y = Add(b, w_copy) }"""
    named = with_cpp_names(model(text), "n")
    assert len({i.name for i in named.model.graph.initializer}) == 3
    arrays = arrays_for(parse(text))
    np.testing.assert_array_equal(OnnxReference(named.model)(arrays)["y"], OnnxReference(model(text))(arrays)["y"])


def test_the_model_itself_is_left_alone() -> None:
    given = model(MLP)
    kept = given.SerializeToString(deterministic=True)
    with_cpp_names(given, "net")
    assert given.SerializeToString(deterministic=True) == kept


def test_a_refusal_names_the_node(tmp_path: Path, sofie: Sofie) -> None:
    given = model("(float[3] x) => (float[3] y) { a = Neg(x) b = Exp(a) c = Tan(b) d = Neg(c) y = Sinh(d) }")
    given.graph.node[2].metadata_props.add(key="sofie_convert.node", value="block/tan")
    given.graph.node[2].metadata_props.add(key="sofie_convert.operator", value="Tangent")
    with pytest.raises(SofieRefused, match=r"Tangent node 'block/tan'(.|\n)*Tan is not yet supported"):
        emit(given, "net", tmp_path, sofie)
    assert not list(tmp_path.iterdir())


def test_a_crash_names_the_node(tmp_path: Path, sofie: Sofie) -> None:
    given = model("(float[2,3] x) => (float[2,3] y) <float[3] s={1,2,3}>"
                  " { a = Neg(x) b = LayerNormalization(a, s) y = Exp(b) }")  # fmt: skip
    with pytest.raises(SofieCrashed, match=r"LayerNormalization node(.|\n)*SIGSEGV"):
        emit(given, "net", tmp_path, sofie)


def test_the_first_node_may_be_the_one(tmp_path: Path, sofie: Sofie) -> None:
    with pytest.raises(SofieRefused, match="Tan node"):
        emit(model("(float[3] x) => (float[3] y) { a = Tan(x) y = Neg(a) }"), "net", tmp_path, sofie)
    with pytest.raises(SofieRefused, match="Tan node"):
        emit(model("(float[3] x) => (float[3] y) { y = Tan(x) }"), "net", tmp_path, sofie)


def test_a_model_without_nodes_never_reaches_sofie(tmp_path: Path, sofie: Sofie) -> None:
    """It would crash there."""
    empty = model("(float[3] x) => (float[3] y) { y = Neg(x) }")
    del empty.graph.node[:]
    with pytest.raises(SofieRefused, match="nothing"):
        emit(empty, "net", tmp_path, sofie)


def test_other_shapes_than_onnx(tmp_path: Path, sofie: Sofie) -> None:
    text = (
        "(float[1,1,4,4] x) => (float[1,1,2,2] y) <float[1,1,3,3] w={1,2,3,4,5,6,7,8,9}> { a = Neg(x) y = Conv(a, w) }"
    )
    with pytest.raises(WrongShapes, match=r"'y' the shape \[1,1,4,4\], ONNX \[1,1,2,2\]"):
        emit(model(text), "net", tmp_path, sofie)


def test_the_fault_of_the_whole_is_the_last_nodes(tmp_path: Path) -> None:
    """Where each beginning of the model goes through, it begins with the last node."""

    class Odd(Sofie):
        def ask(self, request: Request) -> Answer:
            whole = request.header is not None
            return Answer("timeout", "no answer") if whole else Answer("generated")

    with pytest.raises(SofieCrashed, match=r"Sqrt node 'y'(.|\n)*timeout"):
        emit(model("(float[3] x) => (float[3] y) { a = Neg(x) b = Exp(a) y = Sqrt(b) }"), "net", tmp_path, Odd())


# -------------------------------------------------------------------------------------------------------- truncated


def test_beginnings_of_a_model() -> None:
    text = """(float[2,3] x, float[2,3] z) => (float[2,3] p, float[2,3] q) <float[3] b={1,2,3}>
        { p = Neg(x) a = Exp(p) c = Add(a, b) q = Add(c, z) }"""
    whole = model(text)
    arrays = arrays_for(parse(text))
    everything = onnx.ModelProto.FromString(whole.SerializeToString())
    everything.graph.output.extend(v for v in whole.graph.value_info)
    expected = OnnxReference(everything)(arrays)
    outputs = []
    for length in range(1, 5):
        short = truncated(whole, length)
        onnx.checker.check_model(short, full_check=True)
        assert len(short.graph.node) == length
        got = OnnxReference(short)({i.name: arrays[i.name] for i in short.graph.input})
        for name, array in got.items():
            np.testing.assert_array_equal(array, expected[name])
        outputs.append((len(short.graph.input), len(short.graph.initializer), sorted(got)))
    assert outputs == [(1, 0, ["p"]), (1, 0, ["a", "p"]), (1, 1, ["c", "p"]), (2, 1, ["p", "q"])]


@pytest.mark.parametrize(("operator", "gates"), [("GRU", 3), ("LSTM", 4), ("RNN", 1)])
def test_recurrent_operators_that_read_one_tensor(operator: str, gates: int, tmp_path: Path, sofie: Sofie) -> None:
    """As the two directions of a layer do; SOFIE names what is inside after that tensor."""
    after = "linear_before_reset=1, " if operator == "GRU" else ""
    two = model(
        f"(float[5,2,3] x, float[1,{4 * gates},3] w, float[1,{4 * gates},4] r, float[1,{8 * gates}] b)"
        " => (float[5,1,2,4] p, float[5,1,2,4] q) { t = Tanh(x)"
        f" p = {operator}<{after}hidden_size=4>(t, w, r, b) q = {operator}<{after}hidden_size=4>(t, w, r, b) }}"
    )
    generator = np.random.default_rng(0)
    for info in list(two.graph.input)[1:]:
        shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
        array = generator.normal(size=shape).astype(np.float32)
        two.graph.initializer.append(numpy_helper.from_array(array, info.name))
        two.graph.input.remove(info)
    x = generator.normal(size=(5, 2, 3)).astype(np.float32)
    emitted = emit(two, "two", tmp_path, sofie)
    with load(emitted.header, emitted.weights, optimise="-O0") as header:
        got = header(x)
    expected = OnnxReference(two)({"x": x})
    for name in ("p", "q"):
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-4, atol=1e-5)
