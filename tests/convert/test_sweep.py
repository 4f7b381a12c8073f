"""The sweep: every layer has a case, what is right is told from what is not, and a crash is one case's result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sweep_suite

from convert.errors import UsageError
from convert.sweep import keras_cases
from convert.sweep.case import Case, suite_of, without_case
from convert.sweep.command import main
from convert.sweep.driver import sweep
from convert.sweep.outcome import Fate, Result
from convert.sweep.table import failing, page, summary

pytest.importorskip("tensorflow")
pytest.importorskip("keras")

DOCS = Path(__file__).parents[2] / "docs"


def test_every_layer_and_activation_has_a_case_or_a_reason() -> None:
    assert without_case(keras_cases) == []


def test_a_layer_without_a_case_is_told() -> None:
    assert without_case(sweep_suite) == [
        "no case for small.Forgotten",
        "the framework has no small.Gone",
    ]


def test_cases_are_told_apart() -> None:
    assert len({str(c) for c in keras_cases.cases()}) == len(keras_cases.cases()) > 600
    assert suite_of("keras").title().startswith("Keras 3")


def test_two_cases_of_one_name_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = (sweep_suite.cases()[0],) * 2
    monkeypatch.setattr(sweep_suite, "cases", lambda: twice)
    with pytest.raises(UsageError, match="two cases"):
        suite_of("sweep_suite")


@pytest.fixture(scope="module")
def found() -> dict[str, Result]:
    """All of the small suite, in processes of its own."""
    told: list[str] = []
    results = sweep("sweep_suite", sweep_suite.cases(), jobs=1, progress=lambda case, _: told.append(str(case)))
    assert sorted(told) == sorted(results) == sorted(str(c) for c in sweep_suite.cases())
    return results


def test_what_is_right_is_right(found: dict[str, Result]) -> None:
    assert found["small.Dense(relu)"] == Result(Fate("right"))


def test_a_wrong_reference_is_wrong(found: dict[str, Result]) -> None:
    result = found["small.Dense(other numbers when run)"]
    assert result.outcome == "wrong"
    assert "exporter" in result.words
    assert "max |difference|" in result.words


def test_what_cannot_be_is_refused_by_name(found: dict[str, Result]) -> None:
    result = found["small.Strings(upper)"]
    assert result.outcome == "refused"
    assert "string" in result.words


def test_a_refusal_for_another_reason_is_an_error(found: dict[str, Result]) -> None:
    result = found["small.Strings(expected otherwise)"]
    assert result.outcome == "error"
    assert "not for 'tables'" in result.words


def test_a_crash_is_the_result_of_the_case_that_crashes(found: dict[str, Result]) -> None:
    result = found["small.Crash(exit)"]
    assert result.outcome == "error"
    assert "exit code 3" in result.words
    assert result.words.startswith("making it")


def test_a_case_that_cannot_be_made_is_an_error(found: dict[str, Result]) -> None:
    result = found["small.Crash(raise)"]
    assert result == Result(Fate("error", "the case itself: ValueError: no such layer"), result.fixed)


def test_summary_and_page(found: dict[str, Result]) -> None:
    cases = sweep_suite.cases()
    said = summary(cases, found)
    assert said.startswith("4 cases: 1 right, 0 refused, 1 wrong, 2 error; 25.0% right")
    assert "1 of 2 that are to be refused are" in said
    lines = failing(cases, found)
    assert len(lines) == 4
    assert not any("Strings(upper)" in line for line in lines)
    shown = page(sweep_suite, "Small layers", "python -m convert.sweep small", found)
    assert "| `small.Dense` | 2 | 1 |" in shown
    assert "**wrong**" in shown
    assert "`small.Base` | computes nothing" in shown


def test_what_works_with_a_fixed_batch_only() -> None:
    case = Case("small.Dense", "a|b", sweep_suite.dense)
    result = Result(Fate("refused", "IllegalOperators: 1 of 2 nodes has no way"), Fate("right"))
    assert result.outcome == "right"
    assert "1 right" in summary([case], {str(case): result})
    assert "1 of them with a fixed batch only" in summary([case], {str(case): result})
    assert failing([case], {str(case): result})[0].startswith("fixed batch only")
    assert Result(Fate("wrong", "x"), Fate("right")).outcome == "wrong"


def test_cases_of_keras_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = tmp_path / "told.json"
    assert main(["keras", "--only", "keras.layers.Rescaling(", "--jobs", "1", "--json", str(told)]) == 0
    assert "4 right, 0 refused, 0 wrong, 0 error; 100.0% right" in capsys.readouterr().out
    results = json.loads(told.read_text())
    assert [r["open"] for r in results] == [{"outcome": "right", "words": ""}] * 4
    assert main(["keras", "--only", "keras.layers.Rescaling(", "--again", str(told)]) == 0  # in no time
    assert "4 right" in capsys.readouterr().out


def test_the_page_of_the_docs_has_every_case() -> None:
    text = (DOCS / "keras.md").read_text(encoding="utf-8")
    counts: dict[str, int] = {}
    for case in keras_cases.cases():
        counts[case.name] = counts.get(case.name, 0) + 1
    missing = [n for n, count in counts.items() if f"| `{n}` | {count} | " not in text]
    assert missing == [], "python -m convert.sweep keras --markdown docs/keras.md"
    assert "**wrong**" not in text
