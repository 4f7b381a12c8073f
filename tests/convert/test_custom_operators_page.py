"""docs/custom-operators.md: its files are written, its commands are run, and print what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pages
import pytest

PAGE = pages.page("custom-operators.md")
_CPP = re.compile(r"^`(?P<file>[\w.]+)`\n\n```cpp\n(?P<text>.*?)^```$", re.M | re.S)


@pytest.mark.parametrize(("package", "places"), [("torch", (0, 1)), ("tf2onnx", (2,))])
def test_the_page(
    package: str,
    places: tuple[int, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip(package, reason=f"the extra {'torch' if package == 'torch' else 'keras'} is not installed")
    pages.write_files(PAGE, tmp_path)
    for block in _CPP.finditer(PAGE):
        (tmp_path / block["file"]).write_text(block["text"])
    commands = pages.commands(PAGE)
    assert len(commands) == 3
    with pages.importable(tmp_path, monkeypatch):
        for place in places:
            pages.run(*commands[place], capsys)
