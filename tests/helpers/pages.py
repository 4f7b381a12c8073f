"""Pages of the documentation as tests: a page's files are written, its commands are run, and print what it says.

A file is a block of Python below its name (`` `model.py` `` alone on a line); a command is a line that begins with ``$`` in
a console's block, what stands below it is what it prints.
"""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from convert.cli import main

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"(?:^`(?P<file>[\w.]+)`\n\n)?^```(?P<kind>python|console)\n(?P<text>.*?)^```$", re.M | re.S)


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def sections(text: str) -> Mapping[str, str]:
    """Heading → text, of those that run something."""
    parts = re.split(r"^##+ (.+)\n", text, flags=re.M)
    return {title: body for title, body in zip(parts[1::2], parts[2::2], strict=True) if "```console" in body}


def write_files(text: str, folder: Path) -> None:
    for block in _BLOCK.finditer(text):
        if block["kind"] == "python" and block["file"]:
            (folder / block["file"]).write_text(block["text"])


def commands(text: str) -> list[tuple[str, str]]:
    """Each with what the page says it prints."""
    found = []
    for block in _BLOCK.finditer(text):
        if block["kind"] == "console":
            for part in re.split(r"^\$ ", block["text"].replace("\\\n", ""), flags=re.M)[1:]:
                command, _, printed = part.partition("\n")
                found.append((command, printed))
    return found


def run(command: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """``python FILE.py`` or ``python -m convert ...``, in this process.

    :param printed: the whole of what a file prints; the files that the converter writes; or its error.
    """
    python, *words = shlex.split(command)
    assert python == "python"
    if words[0] != "-m":
        runpy.run_path(words[0], run_name="__main__")
        assert capsys.readouterr().out == printed
        return
    assert words[1] == "convert"
    code = main(words[2:])
    said = capsys.readouterr()
    if printed.startswith("error"):
        assert code == 2
        assert _plain(printed) in _plain(said.err)
    else:
        assert code == 0, said.err
        assert [Path(line).name for line in said.out.splitlines()] == printed.splitlines()


@contextmanager
def importable(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """The modules of a page's folder, which is the current one; forgotten in the end."""
    patch.chdir(folder)
    patch.syspath_prepend(folder)
    try:
        yield
    finally:
        for path in folder.glob("*.py"):
            sys.modules.pop(path.stem, None)


def _plain(text: str) -> str:
    """Without blanks at the ends of lines, and without the folder that the test is in."""
    return "\n".join(line.rstrip() for line in text.replace(f"{Path.cwd()}/", "").splitlines())
