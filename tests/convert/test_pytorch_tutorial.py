"""docs/pytorch.md: its files are written, its commands are run, and print what the page says."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

from convert.cli import main

pytest.importorskip("torch", reason="the extra torch is not installed")

PAGE = (Path(__file__).parents[2] / "docs" / "pytorch.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"(?:^`(?P<file>[\w.]+)`\n\n)?^```(?P<kind>python|console)\n(?P<text>.*?)^```$", re.M | re.S)
_SECTIONS = re.split(r"^##+ (.+)\n", PAGE, flags=re.M)
#: Heading → text, of those that run something.
SECTIONS = {title: text for title, text in zip(_SECTIONS[1::2], _SECTIONS[2::2], strict=True) if "```console" in text}
#: The section on open dimensions uses the file of the one before.
_FILES = {"Open dimensions": "Names of inputs and outputs"}


def written(text: str, folder: Path) -> None:
    for block in _BLOCK.finditer(text):
        if block["kind"] == "python":
            (folder / block["file"]).write_text(block["text"])


def commands(text: str) -> list[tuple[str, str]]:
    """Each with what the page says it prints."""
    found = []
    for block in _BLOCK.finditer(text):
        if block["kind"] == "console":
            for part in re.split(r"^\$ ", block["text"], flags=re.M)[1:]:
                command, _, printed = part.partition("\n")
                found.append((command, printed))
    return found


def run(command: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, *words = shlex.split(command)
    if words[0] != "-m":
        runpy.run_path(words[0], run_name="__main__")
        assert capsys.readouterr().out == printed
        return
    code = main(words[2:])
    said = capsys.readouterr()
    if printed.startswith("error"):
        assert code == 2
        assert _plain(printed) in _plain(said.err)
    else:
        assert code == 0, said.err
        assert [Path(line).name for line in said.out.splitlines()] == printed.splitlines()


def _plain(text: str) -> str:
    """Without blanks at the ends of lines, and without the folder that the test is in."""
    return "\n".join(line.rstrip() for line in text.replace(f"{Path.cwd()}/", "").splitlines())


@pytest.mark.parametrize("title", SECTIONS)
def test_section(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    written(SECTIONS.get(_FILES.get(title, ""), ""), tmp_path)
    written(SECTIONS[title], tmp_path)
    mine = {path.stem for path in tmp_path.glob("*.py")}
    try:
        for command, printed in commands(SECTIONS[title]):
            run(command, printed, capsys)
    finally:
        for name in mine:
            sys.modules.pop(name, None)


def test_every_way_is_there_from_the_command_line_and_from_python() -> None:
    ways = {title: text for title, text in SECTIONS.items() if title[0].isdigit()}
    assert [title[0] for title in ways] == list("12345")
    for text in ways.values():
        said = [command for command, _ in commands(text)]
        assert any(c.startswith("python -m convert ") for c in said)
        assert any(c.endswith(".py") for c in said)
