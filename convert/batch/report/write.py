"""A report onto the disk."""

from __future__ import annotations

from pathlib import Path

from convert.errors import WriteError


def write(place: Path, text: str) -> None:
    """In UTF-8 whatever the locale, by rename. :raises WriteError: the disk refuses."""
    from tempfile import TemporaryDirectory

    from convert.files import publish

    with TemporaryDirectory(prefix="sofie-") as folder:
        source = Path(folder) / "text"
        try:
            source.write_text(text, encoding="utf-8", errors="replace", newline="\n")
        except OSError as error:
            raise WriteError(f"cannot write {place}", why=str(error), advice="free some space") from error
        publish({place: source})
