"""Outputs appear by rename, all of them or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from convert.errors import WriteError


def check_writable(target: Path) -> None:
    """Fail before the long work where the place cannot be written to.

    :raises WriteError: a file stands where a folder is needed, or permission is missing.
    """
    place = target
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise WriteError(f"cannot write into {target}", why=f"{place} is a file", advice="give another --output")
    if not os.access(place, os.W_OK | os.X_OK):
        raise WriteError(f"cannot write into {target}", why=f"no permission in {place}", advice="give another --output")


def publish(files: Mapping[Path, Path]) -> tuple[Path, ...]:
    """Bring each source (values) to its place (keys): copied beside it, then renamed, so that none is half-written.

    :returns: the places.
    :raises WriteError: the disk is full or refuses; nothing new is left behind.
    """
    staged: dict[Path, Path] = {}
    made: list[Path] = []
    try:
        for place, source in files.items():
            made += _make_folder(place.parent)
            handle, name = tempfile.mkstemp(prefix=".sofie-", dir=place.parent)
            os.close(handle)
            staged[place] = Path(name)
            shutil.copyfile(source, name)
            os.chmod(name, 0o666 & ~_umask())
        for place, temporary in staged.items():
            os.replace(temporary, place)
    except OSError as error:
        raise WriteError(
            f"cannot write {error.filename2 or error.filename or next(iter(files), '')}",
            why=error.strerror or str(error),
            advice="free some space or give another --output",
        ) from error
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)
        for folder in reversed(made):
            if not any(folder.iterdir()):
                folder.rmdir()
    return tuple(files)


def publish_text(place: Path, text: str) -> None:
    """One text file, by rename. :raises WriteError: as :func:`publish`."""
    with tempfile.TemporaryDirectory(prefix="sofie-") as folder:
        source = Path(folder) / "text"
        source.write_text(text, encoding="utf-8")
        publish({place: source})


def _make_folder(folder: Path) -> list[Path]:
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
