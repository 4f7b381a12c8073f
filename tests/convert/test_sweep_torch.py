"""The sweep of PyTorch: every module and function has a case, and cases go through the pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convert.sweep import torch_cases
from convert.sweep.case import Case, suite_of, without_case
from convert.sweep.command import main

pytest.importorskip("torch")


def test_every_module_and_function_has_a_case_or_a_reason() -> None:
    assert without_case(torch_cases) == []


def test_a_module_without_a_case_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    class Novel(torch.nn.Module):
        pass

    def novel(x: torch.Tensor) -> torch.Tensor:
        return x

    novel.__module__ = "torch.nn.functional"
    monkeypatch.setattr(torch.nn, "Novel", Novel, raising=False)
    monkeypatch.setattr(torch.nn.functional, "novel", novel, raising=False)
    monkeypatch.delattr(torch.nn, "Softsign")
    assert without_case(torch_cases) == [
        "no case for torch.nn.Novel",
        "no case for torch.nn.functional.novel",
        "the framework has no torch.nn.Softsign",
    ]


def test_a_function_without_a_case_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = ("torch.topk", "torch.special.entr", "torch.linalg.det")
    left = [c for c in torch_cases.cases() if c.name not in lost]
    monkeypatch.setattr(torch_cases, "cases", lambda: left)
    assert without_case(torch_cases) == [f"no case for {n}" for n in sorted(lost)]


def test_cases_are_told_apart() -> None:
    cases = suite_of("torch").cases()
    assert len({str(c) for c in cases}) == len(cases) > 1000
    assert torch_cases.title().startswith("PyTorch 2")


@pytest.mark.parametrize(
    "case",
    [c for c in torch_cases.cases() if c.name in ("torch.nn.BatchNorm2d", "torch.nn.LSTM", "torch.nn.LazyLinear")],
    ids=str,
)
def test_models_are_in_evaluation_mode_with_weights_that_show(case: Case) -> None:
    import torch

    made = case.make()
    assert not any(m.training for m in made.model.modules())
    assert not any(torch.equal(p, torch.zeros_like(p)) for p in made.model.parameters())
    assert not any(torch.equal(p, torch.ones_like(p)) for p in made.model.parameters())
    for one, other in zip(made.model.parameters(), case.make().model.parameters(), strict=True):
        assert torch.equal(one, other)  # in every process


def test_cases_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = tmp_path / "told.json"
    assert main(["torch", "--only", "torch.nn.functional.prelu(", "--jobs", "1", "--json", str(told)]) == 0
    assert "2 cases: 2 right, 0 refused, 0 wrong, 0 error; 100.0% right" in capsys.readouterr().out
    results = json.loads(told.read_text())
    assert [r["open"] for r in results] == [{"outcome": "right", "words": ""}] * 2
