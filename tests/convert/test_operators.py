"""The pages that are printed from data are what the data prints."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from small_models import operators as operators_of
from small_models import parse

from convert.cli import main
from convert.operators import Operator, operators
from rewrite.api import load_rules, prepare
from rewrite.graph import OPSET
from rewrite.rule import all_rules
from rewrite.taken_out import TAKEN_OUT
from rewrite.unsupported import unsupported
from sofie_bridge import survey
from sofie_bridge.survey_table import OUTCOMES, by_operator, families

DOCS = Path(__file__).parents[2] / "docs"


def ways(name: str) -> dict[str, str]:
    (found,) = (o for o in operators() if o.name == name)
    return dict(found.ways)


def test_the_page_of_operators_is_that_print(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--operators", "markdown"]) == 0
    assert capsys.readouterr().out == (DOCS / "operators.md").read_text(encoding="utf-8"), (
        "python -m convert --operators markdown > docs/operators.md"
    )


def test_the_page_of_the_survey_is_that_print(capsys: pytest.CaptureFixture[str]) -> None:
    survey.main(["--table"])
    assert capsys.readouterr().out == (DOCS / "survey.md").read_text(encoding="utf-8"), (
        "python -m sofie_bridge.survey --table > docs/survey.md"
    )


def test_text_for_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--operators"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    lines = said.out.splitlines()
    assert max(map(len, lines)) <= 160
    (celu,) = (line for line in lines if line.startswith("Celu "))
    assert "rule" in celu or "function body" in celu


def test_every_operator_and_every_rule_is_there() -> None:
    load_rules()
    told = {o.name: o for o in operators()}
    held = {s.name for s in onnx.defs.get_all_schemas() if not s.domain and s.since_version <= OPSET}
    assert held <= told.keys() | {"Scatter", "Upsample"}
    for rule in all_rules():
        known = unsupported(rule.operator)
        if known is None or not known.always:
            assert any(f"`{rule.name}`" in said for _, said in told[rule.operator].ways), rule.name


def test_each_operator_has_a_way_or_a_reason() -> None:
    for operator in operators():
        assert operator.ways, operator
        assert all(said for way, said in operator.ways if way != "function body"), operator
    assert "float32" in ways("Relu")["native"]
    assert ways("RandomNormal")["refused"].startswith("random: ")
    assert "function body" not in ways("Bernoulli")
    assert "conifer" in ways("ai.onnx.ml.TreeEnsemble")["refused"]
    assert ways("StringConcat")["refused"].startswith("text: ")
    assert ways("SequenceAt")["refused"].startswith("a header has tensors only")
    assert operators()[0] == Operator(operators()[0].name, operators()[0].ways)


@pytest.mark.parametrize("name", TAKEN_OUT)
def test_passes_take_out_what_they_are_said_to(name: str) -> None:
    model = parse(TAKEN_OUT[name].example)
    assert name in {n.op_type for n in model.graph.node}
    assert name not in operators_of(prepare(model).write())


def test_the_survey_adds_up() -> None:
    found = by_operator(families())
    total = sum(s.points for s in found.values())
    assert total == sum(sum(o.values()) for o in families().values())
    assert all(set(s.outcomes) <= set(OUTCOMES) for s in found.values())


def test_operators_take_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model.onnx", "--operators"]) == 1
    assert "takes no model" in capsys.readouterr().err


def test_a_missing_model_is_an_error_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1
    assert "there is no model" in capsys.readouterr().err
