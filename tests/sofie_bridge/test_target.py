"""SOFIE as a target: what it takes, what it refuses in its own words, and that its crashes stay its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from small_models import parse

import convert
from convert.errors import SofieCrashed
from rewrite.api import prepare
from rewrite.graph import Graph
from rewrite.passes.infer_shapes import infer_shapes
from rewrite.target import Verdict
from sofie_bridge import target as module
from sofie_bridge.sofie import Sofie, build
from sofie_bridge.target import SofieTarget
from sofie_bridge.worker import Answer, Request

RELU = "(float[2,3] x) => (float[2,3] y) { y = Relu(x) }"
#: SOFIE reads through the null pointer of the bias that is not there.
CRASHING = "(float[2,3] x) => (float[2,3] y) <float[3] s={1,2,3}> { y = LayerNormalization(x, s) }"


class Store(dict[str, str]):
    """What is kept of verdicts, in memory."""

    def set(self, key: str, value: str) -> bool:
        self[key] = value
        return True


@pytest.fixture(scope="module")
def sofie() -> Iterator[Sofie]:
    with Sofie() as sofie:
        yield sofie


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store()
    monkeypatch.setattr(module, "verdicts", lambda: store)
    return store


def probe(text: str) -> onnx.ModelProto:
    """The first node as the target is asked about it, with no more attributes than it has."""
    graph = Graph.read(infer_shapes(parse(text)))
    return graph.probe(graph.nodes[0])


def test_a_legal_node(sofie: Sofie) -> None:
    assert SofieTarget(sofie).judge(probe(RELU)) == Verdict(True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(float[3] x) => (float[3] y) { y = Tan(x) }", "SOFIE Operator type Tan is not yet supported"),
        # Conv without pads is read as pads=1
        ("(float[1,1,4,4] x, float[1,1,3,3] w) => (float[1,1,2,2] y) { y = Conv(x, w) }", "[1,1,4,4], ONNX [1,1,2,2]"),
        ("(float[32] x) => (float[16] y) <int64[1] s={1}, int64[1] e={32}, int64[1] a={0}, int64[1] t={2}>"
         " { y = Slice(x, s, e, a, t) }", "the shape [15], ONNX [16]"),
    ],
)  # fmt: skip
def test_an_illegal_node_and_why(text: str, words: str, sofie: Sofie) -> None:
    verdict = SofieTarget(sofie).judge(probe(text))
    assert not verdict.legal
    assert words in verdict.reason


def test_with_its_defaults_written_out_it_is_legal(sofie: Sofie) -> None:
    graph = prepare(parse("(float[1,1,4,4] x, float[1,1,3,3] w) => (float[1,1,2,2] y) { y = Conv(x, w) }"))
    assert SofieTarget(sofie).judge(graph.probe(graph.nodes[0])) == Verdict(True)


def test_a_crash_is_a_verdict(sofie: Sofie, store: Store) -> None:
    target = SofieTarget(sofie)
    assert target.judge(probe(CRASHING)) == Verdict(False, "SOFIE crashed: SIGSEGV")
    assert target.judge(probe(RELU)) == Verdict(True)
    assert len(store) == 2


def test_verdicts_are_kept_by_build(sofie: Sofie, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    target = SofieTarget(sofie)
    first = target.judge(probe(RELU))
    assert all(key.startswith(build()) for key in store)

    def nothing(_: Request) -> Answer:
        raise AssertionError("asked again")

    monkeypatch.setattr(sofie, "ask", nothing)
    assert target.judge(probe(RELU)) == first
    assert target.judge(probe(RELU.replace("x", "other"))) == first
    monkeypatch.setattr(module, "build", lambda _: "another")
    with pytest.raises(AssertionError, match="asked again"):
        target.judge(probe(RELU))


def test_a_kept_verdict_is_taken(sofie: Sofie, store: Store) -> None:
    target = SofieTarget(sofie)
    target.condemn(probe(RELU), "max |difference| 3")
    assert target.judge(probe(RELU)) == Verdict(False, "SOFIE takes it and gets it wrong: max |difference| 3")


def test_a_time_limit_is_a_verdict_that_is_not_kept(
    sofie: Sofie, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine must not make a node illegal for ever."""
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.0)
    target = SofieTarget(sofie)
    assert target.judge(probe(RELU)) == Verdict(False, "SOFIE timeout: no answer within 0 s")
    monkeypatch.undo()
    monkeypatch.setattr(module, "verdicts", lambda: store)
    assert target.judge(probe(RELU)) == Verdict(True)


# ------------------------------------------------------------------------------------------------------ the worker


def test_what_sofie_prints_does_not_come_between(sofie: Sofie, capfd: pytest.CaptureFixture[str]) -> None:
    content = probe(RELU).SerializeToString()
    answer = sofie.ask(Request(content, tensors=("o1", "nothing")))
    assert answer.outcome == "generated"
    assert answer.tensors == {"o1": ("FLOAT", [2, 3])}
    assert "namespace SOFIE_probe" in answer.code
    assert capfd.readouterr() == ("", "")


def test_no_parser_is_used_twice(sofie: Sofie) -> None:
    """A parser object that is used twice can take the first model's weights."""
    text = "(float[2,2] x) => (float[2,2] y) <float[2,2] w={%s}> { y = MatMul(x, w) }"
    codes = [sofie.ask(Request(probe(text % w).SerializeToString(), options=2)).code for w in ("1,2,3,4", "5,6,7,8")]
    assert "5, 6, 7, 8" in codes[1].replace(",", ", ").replace("  ", " ")
    assert codes[0] != codes[1]


def test_a_worker_that_is_gone_is_named_and_replaced() -> None:
    request = Request(probe(RELU).SerializeToString())
    with Sofie() as sofie:
        assert sofie.ask(request).outcome == "generated"
        assert sofie._process is not None
        for _ in range(2):
            process = sofie._process
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            with pytest.raises(SofieCrashed, match="ended"):
                sofie.ask(request)
            assert sofie.ask(request).outcome == "generated"


def test_a_file_that_is_no_model(sofie: Sofie) -> None:
    assert sofie.ask(Request(b"nonsense")).outcome in ("refused", "crashed")
    assert sofie.ask(Request(None, "/no/such/file.onnx")).outcome in ("refused", "crashed")


def test_closing_leaves_nothing() -> None:
    sofie = Sofie()
    sofie.close()
    sofie.ask(Request(probe(RELU).SerializeToString()))
    process, folder = sofie._process, sofie._folder.name
    assert process is not None
    sofie.close()
    assert process.poll() is not None
    assert not os.path.exists(folder)


@pytest.mark.parametrize(("shape", "legal"), [("5", False), ("N", False), ("5,2", True)])
def test_what_two_of_in_a_header_would_declare_twice(shape: str, *, legal: bool, sofie: Sofie) -> None:
    text = f"(float[{shape}] x) => (float[{shape}] y) <int64 a={{0}}> {{ y = CumSum(x, a) }}"
    assert SofieTarget(sofie).judge(probe(text)).legal is legal


def test_two_sums_along_vectors_are_one_header(tmp_path: Path) -> None:
    text = "(float[5] x) => (float[5] y) <int64 a={0}> { z = CumSum(x, a) s = Sin(z) y = CumSum<reverse=1>(s, a) }"
    assert convert.convert(parse(text), output=tmp_path).verified
