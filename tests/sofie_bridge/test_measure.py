"""Small models by the dozen: each result is its model's own, and wrong ones are called wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import onnx.parser
import pytest

from convert.errors import RunFailed
from rewrite.api import prepare
from sofie_bridge import batch
from sofie_bridge.batch import Piece, run_pieces
from sofie_bridge.measure import measure
from sofie_bridge.sofie import Sofie
from sofie_bridge.survey import family
from sofie_bridge.target import SofieTarget
from sofie_bridge.toolchain import find


@pytest.fixture(scope="module")
def sofie() -> Iterator[Sofie]:
    with Sofie() as sofie:
        yield sofie


def probe(text: str) -> onnx.ModelProto:
    """The first node of a graph, as the target is asked about it."""
    graph = prepare(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 26]> g {text}'))
    return graph.probe(graph.nodes[0])


RIGHT = "(float[2,3] x) => (float[2,3] y) { y = Relu(x) }"
#: SOFIE takes it and ignores the dilations.
WRONG = "(float[1,1,9] x) => (float[1,1,5] y) { y = MaxPool<kernel_shape=[3], dilations=[2]>(x) }"
#: Its code does not compile.
UNCOMPILABLE = "(float[3,3] x) => (float[3,3] y) { y = Trilu<upper=1>(x) }"
REFUSED = "(float[2,3] x) => (float[2,3] y) { y = RandomNormalLike(x) }"
#: SOFIE spreads the bias over the largest L when the session is made, and reads it as spread over the L of the call.
SPREAD_ONCE = (
    "(float[N,2,L] x) => (float[N,2,L] y) <float[2,2,1] w = {1, 2, 3, 4}, float[2] b = {0.5, -1}> { y = Conv(x, w, b) }"
)
#: SOFIE writes the first element in front of the result.
CUT = "(float[N,3,5] x) => (float[N,3,6] y) <int64[6] p = {0, 0, -1, 0, 0, 2}> { y = Pad(x, p) }"
TAIL = (
    "(float[N,3] x) => (float[M,3] y) <int64[1] a = {0}, int64[1] b = {-2}, int64[1] c = {0}> { y = Slice(x, a, b, c) }"
)
TWO_SIZES = "(float[N,3] x, float[M,3] z) => (float[N,3] y, float[M,3] w) { y = Relu(x) w = Tanh(z) }"


def test_each_has_its_own_result(sofie: Sofie) -> None:
    found = measure([probe(t) for t in (RIGHT, WRONG, UNCOMPILABLE, RIGHT)], sofie, find())
    assert [f.outcome for f in found] == ["right", "wrong", "uncompilable", "right"]


def test_sessions_are_for_larger_sizes_than_a_call_s(sofie: Sofie) -> None:
    (found,) = measure([probe(SPREAD_ONCE)], sofie, find())
    assert found.outcome == "wrong"


def test_what_writes_out_of_bounds_is_no_other_pieces_result(sofie: Sofie) -> None:
    found = measure([probe(t) for t in (RIGHT, CUT, RIGHT)], sofie, find())
    assert [f.outcome for f in found if f.outcome == "right"] == ["right", "right"]
    assert found[1].outcome in ("died", "wrong")


def test_symbolic_sizes_and_several_outputs(sofie: Sofie) -> None:
    model = prepare(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 26]> g {TWO_SIZES}')).write()
    x, z = np.full((2, 3), -1, np.float32), np.full((5, 3), 0.5, np.float32)
    ((_, ran),) = run_pieces([Piece("p", model, [{"x": x, "z": z}])], sofie, find())
    assert ran.outcome == "ran"
    np.testing.assert_allclose(ran.outputs[0]["y"], np.zeros(6), rtol=0, atol=0)
    np.testing.assert_allclose(ran.outputs[0]["w"], np.tanh(z).reshape(-1), rtol=1e-6, atol=0)


def test_code_that_dies_is_that_pieces_result(sofie: Sofie, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = batch._entry
    monkeypatch.setattr(
        batch, "_entry", lambda name, e: plain(name, e).replace("auto session", "if (true) __builtin_trap(); auto session")
        if name == "bad" else plain(name, e)
    )  # fmt: skip
    x = np.ones((2, 3), np.float32)
    model = probe(RIGHT)
    name = model.graph.input[0].name
    ran = [r for _, r in run_pieces([Piece(n, model, [{name: x}]) for n in ("a", "bad", "c")], sofie, find())]
    assert [r.outcome for r in ran] == ["ran", "died", "ran"]


def test_a_child_that_fails_itself_says_nothing_of_the_code(sofie: Sofie, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_START", "raise ImportError('a module that is gone')")
    with pytest.raises(RunFailed, match="a module that is gone"):
        measure([probe(RIGHT)], sofie, find())


def test_review_makes_wrong_nodes_illegal_and_measures_each_once(sofie: Sofie, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sofie_bridge.target.trusted", lambda _: frozenset())
    target = SofieTarget(sofie)
    right, wrong = probe(RIGHT), probe(WRONG)
    assert target.judge(wrong).legal
    assert target.review([right, wrong])
    assert not target.judge(wrong).legal
    assert "wrong" in target.judge(wrong).reason
    assert target.judge(right).legal
    monkeypatch.setattr("sofie_bridge.target.measure", lambda *_: pytest.fail("measured again"))
    assert not target.review([right])


def test_families_of_the_survey_are_trusted(sofie: Sofie, monkeypatch: pytest.MonkeyPatch) -> None:
    model = probe("(float[7] x) => (float[7] y) { y = Relu(x) }")
    assert family(model) == "Relu(float/1)"
    assert family(probe(SPREAD_ONCE)).endswith(" open")
    assert family(probe(CUT)).endswith(" cut")
    assert family(probe(TAIL)).endswith(" open")
    monkeypatch.setattr("sofie_bridge.target.trusted", lambda _: frozenset({"Relu(float/1)"}))
    monkeypatch.setattr("sofie_bridge.target.measure", lambda *_: pytest.fail("a trusted family was measured"))
    assert not SofieTarget(sofie).review([model])
