"""docs/jax.md: its files are written, its commands are run, and print what the page says."""

from __future__ import annotations

from pathlib import Path

import pages
import pytest

pytest.importorskip("jax", reason="the extra jax is not installed")

SECTIONS = pages.sections(pages.page("jax.md"))


@pytest.mark.filterwarnings("ignore")  # Orbax has warnings of its own
def test_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One folder for all sections: the second checkpoint is the first one's."""
    with pages.importable(tmp_path, monkeypatch):
        for text in SECTIONS.values():
            pages.write_files(text, tmp_path)
            for command, printed in pages.commands(text):
                pages.run(command, printed, capsys)
