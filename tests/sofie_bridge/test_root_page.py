"""docs/root.md: its files are written, its commands are run, each in a process of its own, and print what it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from in_root import needs_root
from pages import commands, page, write_files

pytest.importorskip("uproot", reason="the extra hep is not installed")
pytest.importorskip("awkward", reason="the extra hep is not installed")

REPOSITORY = Path(__file__).parents[2]
_MACRO = re.compile(r"^`(macro\.C)`\n\n```cpp\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def printed_by(command: str, folder: Path) -> str:
    """What goes to stdout; paths as their last part."""
    line, _, target = command.partition(" > ")
    program, *words = shlex.split(line)
    where = {"python": [sys.executable, "-W", "ignore"], "root": [str(Path(sys.executable).with_name("root"))]}
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [*where[program], *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    if target:
        (folder / target).write_text(done.stdout)
        return ""
    return done.stdout


@needs_root
def test_the_page(tmp_path: Path) -> None:
    text = page("root.md")
    (tmp_path / "fixtures").symlink_to(REPOSITORY / "fixtures")
    write_files(text, tmp_path)
    for name, macro in _MACRO.findall(text):
        (tmp_path / name).write_text(macro)
    done = commands(text)
    assert len(done) > 8
    for command, printed in done:
        said = "\n".join(line for line in printed_by(command, tmp_path).splitlines() if line.strip()) + "\n"
        shown = said.replace("Processing macro.C...\n", "")
        assert shown.strip() == printed.strip(), command
