"""Models in a folder, by their content."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import converters
from convert.errors import UnknownFile
from converters.sniff import looks_named, sniff_file

#: Folders that hold no models of the user's.
_SKIPPED = ("__pycache__", "node_modules", "site-packages")


def models_in(folder: Path) -> Iterator[Path]:
    """Every model under a folder, in order of the paths; the folder itself where it is one (a SavedModel).

    Hidden folders are left out, and what is not known by its content, unless it is named as a model: that one is
    damaged, which is to be told. Symbolic links to folders are not followed.
    """
    if is_model(folder):
        yield folder
        return
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda e: e.name)
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith(".") and entry.name not in _SKIPPED:
                yield from models_in(path)
        elif entry.is_file() and not entry.name.startswith(".") and (looks_named(path) or is_model(path)):
            yield path


def is_model(path: Path) -> bool:
    """Does a front end know it by its content?"""
    try:
        sniff_file(path, converters.frontends())
    except UnknownFile:
        return False
    return True
