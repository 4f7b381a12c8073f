"""The user's C++: included by the header that is written, or written into it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from convert.errors import BadOperator

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"[^\n]*$', re.MULTILINE)
_ONCE = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+once[ \t]*$", re.MULTILINE)


def bundle(header: Path) -> dict[Path, Path]:
    """The file and what it includes in quotes from its folder and below, each by its place relative to that folder.

    What is found elsewhere is the user's compiler's business.
    """
    home = header.parent.resolve()
    return {path.relative_to(home): path for path in _reached(header.resolve()) if path.is_relative_to(home)}


def _reached(header: Path) -> Iterator[Path]:
    waiting, seen = [header], set[Path]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        yield path
        found = (path.parent / name for name in _INCLUDE.findall(read(path)))
        waiting += [p.resolve() for p in found if p.is_file()]


def inlined(header: Path) -> str:
    """The file's text, and in the place of what it includes in quotes that text, each once."""
    return _inlined(header.resolve(), set())


def _inlined(path: Path, seen: set[Path]) -> str:
    seen.add(path)

    def replaced(match: re.Match[str]) -> str:
        found = (path.parent / match[1]).resolve()
        if not found.is_file():
            return match[0]
        return "" if found in seen else _inlined(found, seen)

    return guarded(_INCLUDE.sub(replaced, _ONCE.sub("", read(path))), path.name)


def guarded(text: str, name: str = "") -> str:
    """The text, once in a translation unit, whatever headers bring it."""
    key = f"SOFIE_OPERATOR_{hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()[:16].upper()}"
    said = f"  // {name}" if name else ""
    return f"#ifndef {key}{said}\n#define {key}\n{text.strip()}\n#endif\n"


def read(path: Path) -> str:
    """The file's text.

    :raises BadOperator: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise BadOperator("a C++ file cannot be read", where=str(path), why=error.strerror or str(error)) from error
