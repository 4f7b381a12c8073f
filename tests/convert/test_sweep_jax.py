"""The sweep of JAX and Flax: every layer and function has a case, and cases go through the pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.sweep import jax_cases
from convert.sweep.case import Case, suite_of, without_case
from convert.sweep.command import main
from convert.sweep.outcome import results
from sofie_bridge.sofie import Sofie

jax = pytest.importorskip("jax", reason="the extra jax is not installed")
pytest.importorskip("flax", reason="the extra jax is not installed")


def test_every_layer_and_function_has_a_case_or_a_reason() -> None:
    assert without_case(jax_cases) == []


def test_what_has_no_case_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from flax import linen, nnx

    def novel(x: Any) -> Any:
        return x

    homes = (jax.nn, jax.numpy, jax.lax)
    for home in homes:
        monkeypatch.setattr(home, "novel", novel, raising=False)
    for flax in (linen, nnx):
        monkeypatch.setattr(flax, "Novel", type("Novel", (flax.Module,), {}), raising=False)
    monkeypatch.delattr(jax.numpy, "hypot")
    assert without_case(jax_cases) == [
        "no case for flax.linen.Novel",
        "no case for flax.nnx.Novel",
        "no case for jax.lax.novel",
        "no case for jax.nn.novel",
        "no case for jax.numpy.novel",
        "the framework has no jax.numpy.hypot",
    ]


def test_cases_are_told_apart() -> None:
    cases = suite_of("jax").cases()
    assert len({str(c) for c in cases}) == len(cases) > 1000
    assert jax_cases.title().startswith("JAX 0.")


@pytest.mark.parametrize("name", ["flax.linen.BatchNorm", "flax.linen.RNN", "flax.nnx.BatchNorm", "flax.nnx.RNN"])
def test_models_have_weights_that_show(name: str) -> None:
    case: Case = next(c for c in jax_cases.cases() if c.name == name)
    leaves, others = _weights(case), _weights(case)
    assert leaves
    for leaf, other in zip(leaves, others, strict=True):
        assert len(np.unique(leaf)) > 1
        assert np.array_equal(leaf, other)  # in every process


def _weights(case: Case) -> list[Any]:
    from flax import nnx

    model = case.make().model
    held = model[1] if isinstance(model, tuple) else nnx.state(model, nnx.Not(nnx.RngState))
    return [np.asarray(leaf) for leaf in jax.tree.leaves(held)]


#: Numbers without axes; sizes that are read as numbers, by a kernel along an open axis.
OPEN = ("jax.lax.dynamic_slice(m, (k[0], k[1]), (2, 2))", "jax.numpy.roll(x, 1, axis=0)")


def test_open_axes_and_numbers_without_axes() -> None:
    cases = {str(c): c for c in jax_cases.cases()}
    with Sofie() as sofie:
        found = results([cases[name] for name in OPEN], sofie, lambda what, case: None, quick=True)
    assert {n: r.open.words for n, r in zip(OPEN, found, strict=True) if r.open.outcome != "right"} == {}


def test_cases_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = tmp_path / "told.json"
    assert main(["jax", "--only", "flax.linen.PReLU(", "--jobs", "1", "--json", str(told)]) == 0
    said = capsys.readouterr().out
    assert "3 cases: 3 right, 0 refused, 0 wrong, 0 error; 100.0% right" in said
    assert "flax.linen: 3 of 3 cases right, 1 of 1 names in all of theirs (100.0%)" in said
    results = json.loads(told.read_text())
    assert [r["open"] for r in results] == [{"outcome": "right", "words": ""}] * 3
