"""Content-addressed files in the user's cache folder.

An entry's name is the hash of everything it was made from, so that an entry is never out of date, only absent.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

#: Environment variable that names another folder.
VARIABLE = "SOFIE_CONVERT_CACHE"


def root() -> Path:
    """The cache folder, made if need be. Only its owner may enter: what lies in it is loaded and run."""
    folder = Path(os.environ.get(VARIABLE) or platformdirs.user_cache_dir("sofie-convert")).absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def key(*parts: bytes | str) -> str:
    """SHA-256 over the parts, in hexadecimal. Lengths are hashed too: ("ab", "c") and ("a", "bc") differ."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def folder(kind: str) -> Path:
    """The folder of all entries of ``kind``; it exists."""
    path = root() / kind
    path.mkdir(parents=True, exist_ok=True)
    return path


def entry(kind: str, key: str) -> Path:
    """Where the entry ``key`` of ``kind`` ("library", "verdict") lies or will lie; its folder exists."""
    path = root() / kind / key[:2] / key
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def publish(path: Path) -> Iterator[Path]:
    """Give a scratch path beside ``path``, and move what was written there to ``path`` in one step.

    Readers see the whole file or none. Of two processes that publish one path the later wins, with the same content.
    After an exception nothing is left.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:16]}.")
    os.close(handle)
    scratch = Path(name)
    try:
        yield scratch
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def prune(kind: str, limit: int) -> None:
    """Remove the entries of ``kind`` that were made longest ago, until the others have no more bytes than ``limit``."""
    found = sorted(
        ((p.stat().st_mtime, p.stat().st_size, p) for p in folder(kind).rglob("*") if p.is_file()), reverse=True
    )
    total = 0
    for _, size, path in found:
        total += size
        if total > limit:
            path.unlink(missing_ok=True)
