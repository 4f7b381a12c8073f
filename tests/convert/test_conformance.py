"""ONNX's own tests of a few operators through the pipeline: none wrong, both ways."""

from __future__ import annotations

import pytest

from convert.conformance import run
from sofie_bridge.grid import node_cases
from sofie_bridge.sofie import Sofie

#: SOFIE takes these and gets some wrong, does not compile some, and lacks some.
NAMES = (
    "test_gemm_",
    "test_gru_",
    "test_or_bcast",
    "test_clip_",
    "test_triu",
    "test_celu",
    "test_argmax_",
    "test_mod_mixed",
)


@pytest.mark.parametrize("way", ["constants", "run time"])
def test_nothing_wrong_leaves(way: str) -> None:
    cases = [c for c in node_cases() if c.name.startswith(NAMES)]
    assert len(cases) > 60
    with Sofie() as sofie:
        results = list(run(cases, constants=way == "constants", sofie=sofie))
    assert len(results) == len(cases)
    bad = [(r.name, r.outcome, r.words) for r in results if r.outcome not in ("right", "refused")]
    assert not bad
    assert sum(r.outcome == "right" for r in results) > 0.8 * len(results)
