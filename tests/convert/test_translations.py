"""A user's own translations, as docs/translations.md shows them: its files are written, its commands are run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pages
import pytest

from convert.cli import main

pytest.importorskip("tf2onnx", reason="the extra keras is not installed")


def written(name: str, folder: Path) -> list[tuple[str, str]]:
    """Writes the page's files; its commands, each with what the page says it prints."""
    text = pages.page(name)
    pages.write_files(text, folder)
    return pages.commands(text)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = written("translations.md", folder)
    assert len(commands) == 4
    for command, printed in commands:
        pages.run(command, printed, capsys)


@pytest.mark.parametrize(("place", "package"), [(0, "graph_nets"), pytest.param(1, "torch", marks=pytest.mark.slow)])
def test_the_page_on_graph_networks(place: int, package: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed: tox -e graphnets installs graph_nets")
    commands = written("graph-networks.md", folder)
    assert len(commands) == 2
    pages.run(*commands[place], capsys)


def test_a_wrong_translation_gives_no_header(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written("translations.md", folder)
    path = folder / "my_ops.py"
    text = path.read_text()
    changed = re.sub(r"return g\.Where\(.*\)", "return g.Mul(x, g.Log(y))", text)
    assert changed != text
    path.write_text(changed)
    assert main(["model.py:entropy", "--translations", "my_ops.py"]) == 5
    assert "exporter" in capsys.readouterr().err
    assert not list(folder.glob("*.hxx"))


def test_translations_are_of_one_conversion(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And stand before the project's own, whatever was imported first."""
    written("translations.md", folder)
    (folder / "other.py").write_text(
        "import tensorflow as tf\n\n@tf.function(input_signature=[tf.TensorSpec([2, 3], name='x')])\n"
        "def shrunk(x):\n    return tf.math.expm1(x)\n"
    )
    (folder / "wrong.py").write_text(
        "from converters.translations import tensorflow\n\n@tensorflow('Expm1')\ndef expm1(g, node):\n"
        "    return g.Neg(node.inputs[0])\n"
    )
    assert main(["other.py:shrunk", "--translations", "wrong.py", "--to", "onnx", "--no-verify"]) == 0
    import onnx

    (path,) = folder.glob("*.onnx")
    assert {n.op_type for n in onnx.load(path).graph.node} == {"Neg"}
    assert main(["other.py:shrunk", "--to", "onnx", "--no-verify"]) == 0
    assert "Neg" not in {n.op_type for n in onnx.load(path).graph.node}
    capsys.readouterr()


@pytest.mark.parametrize(
    ("text", "says"),
    [(None, "no such file: my_ops.py"), ("1 / 0", "ZeroDivisionError"), ("def (", "SyntaxError")],
)
def test_a_file_of_translations_that_cannot_be_read(
    folder: Path, capsys: pytest.CaptureFixture[str], text: Any, says: str
) -> None:
    written("translations.md", folder)
    (folder / "my_ops.py").unlink()
    if text is not None:
        (folder / "my_ops.py").write_text(text)
    assert main(["model.py:entropy", "--translations", "my_ops.py"]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "--translations" in said
