"""docs/pytorch.md: its files are written, its commands are run, and print what the page says."""

from __future__ import annotations

from pathlib import Path

import pages
import pytest

pytest.importorskip("torch", reason="the extra torch is not installed")

SECTIONS = pages.sections(pages.page("pytorch.md"))
#: The section on open dimensions uses the file of the one before.
_FILES = {"Open dimensions": "Names of inputs and outputs"}


@pytest.mark.parametrize("title", SECTIONS)
def test_section(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pages.importable(tmp_path, monkeypatch):
        pages.write_files(SECTIONS.get(_FILES.get(title, ""), ""), tmp_path)
        pages.write_files(SECTIONS[title], tmp_path)
        for command, printed in pages.commands(SECTIONS[title]):
            pages.run(command, printed, capsys)


def test_every_way_is_there_from_the_command_line_and_from_python() -> None:
    ways = {title: text for title, text in SECTIONS.items() if title[0].isdigit()}
    assert [title[0] for title in ways] == list("12345")
    for text in ways.values():
        said = [command for command, _ in pages.commands(text)]
        assert any(c.startswith("python -m convert ") for c in said)
        assert any(c.endswith(".py") for c in said)
