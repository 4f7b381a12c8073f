"""What times headers: every form of Session can be made."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_models import parse

import convert
from sofie_bridge import latency


@pytest.mark.parametrize(
    "text",
    [
        "(float[64,8] x) => (float[1,1] y) { y = ReduceMean(x) }",
        "(float[N,3] x) => (float[N,2] y) <float[3,2] w = {1,2,3,4,5,6}> { y = MatMul(x, w) }",
    ],
    ids=["nothing", "weights and a size"],
)
def test_what_a_session_is_made_of(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "SPAN", 1e-4)
    report = convert.convert(parse(text), output=tmp_path, verify=False, bench=True)
    assert set(report.latency) == {"header", "onnxruntime"}
    assert all(report.latency.values())
