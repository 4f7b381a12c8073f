"""docs/kernels.md: its files are written, its commands are run, and print what the page says."""

from __future__ import annotations

from pathlib import Path

import pages
import pytest

PAGE = pages.page("kernels.md")


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pages.write_files(PAGE, tmp_path)
    commands = pages.commands(PAGE)
    assert len(commands) == 2
    with pages.importable(tmp_path, monkeypatch):
        for command in commands:
            pages.run(*command, capsys)
