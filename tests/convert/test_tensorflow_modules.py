"""TensorFlow modules of a user's factory, from the command line to a verified header."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.cli import main

pytest.importorskip("tf2onnx", reason="the extra keras is not installed")

MODELS = Path(__file__).parents[1] / "helpers" / "tensorflow_models.py"


@pytest.mark.parametrize(
    ("factory", "inputs", "name"),
    [("Dense", (), "dense"), ("Plain", ("x:float32[N,3]", "y:float32[N,3]"), "plain"), ("sonnet_mlp", ("x:float32[2,3]",), "mlp")],
)  # fmt: skip
def test_a_module(
    factory: str, inputs: tuple[str, ...], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if factory.startswith("sonnet"):
        pytest.importorskip("sonnet", reason="sonnet is not installed: tox -e graphnets does")
    given = [word for text in inputs for word in ("--input", text)]
    assert main([f"{MODELS}:{factory}", *given, "--output", f"{tmp_path}/"]) == 0
    said = capsys.readouterr()
    assert f"{tmp_path / name}.hxx" in said.out.splitlines()
    assert "tensorflow" in said.err  # the framework's own answers are compared with
    for text in inputs:
        assert f"tensor_{text[0]}" in (tmp_path / f"{name}.hxx").read_text()
