"""``fixtures/zoo.toml``: what it says is there, its small models become what it expects, and a broken rule is noticed."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from shutil import copytree

import onnx
import pytest

from convert.batch.row import Results
from convert.batch.zoo import read_zoo
from convert.cli import main

ROOT = Path(__file__).parents[2]
ZOO = ROOT / "fixtures" / "zoo.toml"


def test_every_model_of_the_zoo_is_there() -> None:
    entries = read_zoo([str(ZOO)], {})
    told = tomllib.loads(ZOO.read_text(encoding="utf-8"))["model"]
    assert len(entries) == len({e.name for e in entries}) == len(told)
    own = [e for e in entries if "package" not in told[entries.index(e)]]
    files = [Path(e.source.rpartition(":")[0] if ".py:" in e.source else e.source) for e in own]
    assert [str(f) for f in files if not f.exists()] == []
    tags = {tag for e in entries for tag in e.tags}
    words = ZOO.read_text(encoding="utf-8").split("[[model]]")[0]
    assert [t for t in tags if f'"{t}"' not in words] == [], "the head of the zoo says what a tag means"


@pytest.mark.slow
def test_the_small_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["batch", str(ZOO), "--tag", "small", "--output", str(tmp_path), "--jobs", "2"])
    assert code == 0, capsys.readouterr().err


@pytest.mark.slow
def test_a_broken_rule_is_a_regression(tmp_path: Path) -> None:
    """The converter with one rule broken: the header that it would write is wrong, which the comparison tells."""
    model = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20]>
        net (float[N, 4] x) => (float[N, 4] y) { n = LpNormalization <axis = 1, p = 2> (x) y = Tanh (n) }
    """)
    onnx.save(model, tmp_path / "net.onnx")
    for home in ("convert", "converters", "rewrite", "sofie_bridge"):
        copytree(ROOT / home, tmp_path / "broken" / home)
    rule = tmp_path / "broken" / "rewrite" / "rules" / "lp_normalization.py"
    text = rule.read_text(encoding="utf-8")
    assert "op.Sqrt(" in text
    rule.write_text(text.replace("op.Sqrt(", "op.Abs("), encoding="utf-8")
    runs = {"old": ROOT, "new": tmp_path / "broken"}
    for name, place in runs.items():
        command = [
            sys.executable,
            "-m",
            "convert",
            "batch",
            str(tmp_path / "net.onnx"),
            "--output",
            str(tmp_path / name),
        ]
        subprocess.run(
            command, cwd=place, env={**os.environ, "PYTHONPATH": str(place)}, check=False, capture_output=True
        )
    rows = {name: Results.read(tmp_path / name / "results.json").rows["net"] for name in runs}
    assert {name: row.status for name, row in rows.items()} == {"old": "converted", "new": "wrong"}
    assert rows["old"].key != rows["new"].key
    assert any(r["rule"].startswith("lp_normalization") for r in rows["new"].rewrites)
    assert main(["compare", str(tmp_path / "old" / "results.json"), str(tmp_path / "new" / "results.json")]) == 7
    assert main(["compare", str(tmp_path / "old" / "results.json"), str(tmp_path / "old" / "results.json")]) == 0
