"""A wrong number never leaves: sabotage anywhere is caught, named, and nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest

from convert.cli import main
from convert.errors import Mismatch
from rewrite.rule import NodeView, Op, Rule, rules_for
from sofie_bridge import emit as emitting

TEXT = "(float[2,3] x) => (float[2,3] y) { a = Relu(x) [guilty] b = Celu<alpha=0.5>(a) y = Tanh(b) }"


@pytest.fixture
def source(tmp_path: Path) -> str:
    onnx.save(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]> g {TEXT}'), tmp_path / "model.onnx")
    return str(tmp_path / "model.onnx")


@pytest.fixture
def wrong_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celu becomes something that is not Celu."""
    from rewrite.api import load_rules

    load_rules()

    def body(op: Op, node: NodeView) -> Any:
        return op.Mul(op.Elu(node.x, alpha=1.0), 1.01)

    wrong = Rule("Celu", "celu_to_nonsense", "wrong", body, ())

    def those(name: str, *, merged: bool = False) -> Sequence[Rule]:
        return [wrong] if name == "Celu" else rules_for(name, merged=merged)

    monkeypatch.setattr("rewrite.engine.rules_for", those)


@pytest.mark.usefixtures("wrong_rule")
def test_a_wrong_rule_is_caught_and_blamed(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([source, "--output", str(tmp_path / "out")]) == Mismatch.exit_code
    said = capsys.readouterr()
    assert "'y', rules" in said.err
    assert "'y', sofie" not in said.err
    assert said.out == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("wrong_rule")
def test_keep_going_writes_it_and_says_that_it_is_wrong(source: str, tmp_path: Path) -> None:
    assert main([source, "--output", str(tmp_path / "out"), "--keep-going"]) == Mismatch.exit_code
    assert "// WRONG" in (tmp_path / "out" / "model.hxx").read_text()


def test_a_wrong_header_is_caught_and_the_tensor_named(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SOFIE's text is spoilt behind its back: tanh becomes something else, in every header it is in."""
    plain = emitting._generate

    def spoilt(named: Any, path: Path, header: Path | None, options: int, sofie: Any) -> Any:
        answer = plain(named, path, header, options, sofie)
        if header is not None:
            header.write_text(header.read_text().replace("std::tanh(", "1.001f * std::tanh("))
        return answer

    monkeypatch.setattr(emitting, "_generate", spoilt)
    monkeypatch.setattr("sofie_bridge.target.SofieTarget.condemn", lambda *_: None)
    assert main([source, "--output", str(tmp_path / "out")]) == Mismatch.exit_code
    said = capsys.readouterr().err
    assert "Tanh" in said
    assert "'y', sofie" in said
    assert not (tmp_path / "out").exists()
