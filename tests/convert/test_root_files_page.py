"""docs/root-files.md: its commands are run, and print what the page says; its macro is run by ROOT.

Without verification, which takes longest and prints nothing: test_root_files.py has that.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pages
import pytest

from convert.cli import main
from convert.errors import ConvertError
from sofie_bridge.root_install import python_has_root
from sofie_bridge.sofie import build

pytest.importorskip("uproot", reason="uproot is not installed (extra root)")
pytestmark = pytest.mark.skipif(not python_has_root(), reason="ROOT is not installed (extra root)")

PAGE = pages.page("root-files.md")
FIXTURES = Path(__file__).parents[2] / "fixtures"
#: Run in order, for a section uses the file of the first.
SECTIONS = pages.sections(PAGE)
_MACRO = re.compile(r"^`read\.C`\n\n```cpp\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def has_sofie() -> bool:
    try:
        build("root")
    except ConvertError:
        return False
    return True


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(pages, "main", lambda words: main([*words, "--no-verify"]))
    shutil.copy(FIXTURES / "mlp.onnx", tmp_path)
    with pages.importable(tmp_path, monkeypatch):
        pages.write_files(PAGE, tmp_path)
        for title, text in SECTIONS.items():
            if title == "ROOT's own SOFIE" and has_sofie():
                continue  # the page shows what the wheel says
            for command, printed in pages.commands(text):
                pages.run(command, printed, capsys)
        (macro,) = _MACRO.findall(PAGE)
        Path("read.C").write_text(macro)
        code = "import ROOT; ROOT.gROOT.Macro('read.C')"
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == macro.partition("//")[2].partition("\n")[0].strip()
