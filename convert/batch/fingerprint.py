"""What a result hangs on, as hashes: a model's content, its options, and the versions of everything."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from convert.api import versions
from convert.batch.zoo import Entry

#: Options that name files or modules, whose content counts.
_FILES = ("samples", "params", "model", "translations", "custom_objects")


def fingerprint(entry: Entry, settings: Mapping[str, Any]) -> tuple[str, str]:
    """The key of a result, and the hash of the model alone.

    Of a factory its own file is hashed, and not what that imports.

    :param settings: what holds for the whole batch.
    """
    source = _content(entry.source)
    others = {k: [_content(v) for v in _many(entry.options[k])] for k in _FILES if entry.options.get(k)}
    told = json.dumps([source, entry.name, entry.options, others, settings, build()], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest(), source


@cache
def build() -> Mapping[str, str]:
    """Versions of what the numbers depend on, and the hash of the converter's own source."""
    digest = hashlib.sha256()
    for home in ("convert", "converters", "rewrite", "sofie_bridge"):
        root = Path(__file__).parents[2] / home
        for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".json", ".cxx")):
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return {**versions(), "python": sys.version.split()[0], "source": digest.hexdigest()[:16]}


def digest_of(path: Path) -> str:
    """SHA-256 of a file, or of all files of a folder with their names; empty where there is nothing."""
    digest = hashlib.sha256()
    if not path.exists():
        return ""
    for file in _files(path):
        digest.update(file.relative_to(path).as_posix().encode() if file != path else b"")
        with file.open("rb") as opened:
            while block := opened.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _files(path: Path) -> Iterable[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def _content(text: str) -> str:
    """Of a path, or of the file of ``file.py:factory`` or ``package.module:factory``."""
    file, colon, name = text.rpartition(":")
    if colon and name.replace(".", "").isidentifier() and not Path(text).exists():
        return digest_of(Path(file) if file.endswith(".py") else _module(file))
    return digest_of(Path(text) if Path(text).exists() else _module(text))


def _module(name: str) -> Path:
    if not all(part.isidentifier() for part in name.split(".")):
        return Path(name)
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:
        return Path(name)
    return Path(spec.origin) if spec is not None and spec.origin else Path(name)


def _many(value: Any) -> Iterator[str]:
    yield from map(str, value if isinstance(value, list | tuple) else [value])
