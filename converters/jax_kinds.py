"""Files of JAX's, told by their content."""

from __future__ import annotations

import mmap
import re
import struct
import sys
from pathlib import Path

from converters.jax_params import is_checkpoint

CHECKPOINT, EXPORTED = "Orbax checkpoint (with --model)", "jax.export program"

#: How MLIR's bytecode of a StableHLO program begins: its magic number, its version, who wrote it.
_STABLEHLO = re.compile(rb"ML\xefR.StableHLO_v", re.DOTALL)
#: Sizes, in bytes, of the table of fields that a flatbuffer begins with: 16 fields at least, which ``Exported`` has had
#: from the first.
_TABLE = range(4 + 2 * 16, 4 + 2 * 64)


def sniff(head: bytes, path: Path) -> str | None:
    """The kind; no framework is imported."""
    if path.is_dir():
        return CHECKPOINT if is_checkpoint(path) else None
    return EXPORTED if _is_flatbuffer(head) and _holds_stablehlo(path) else None


def _is_flatbuffer(head: bytes) -> bool:
    """Does it lead to a table, and from there to a list of the table's fields, of a size that fits?"""
    if len(head) < 8:
        return False
    (root,) = struct.unpack_from("<I", head)
    if root + 4 > len(head):
        return False
    (back,) = struct.unpack_from("<i", head, root)
    fields = root - back
    return 4 <= fields <= len(head) - 2 and struct.unpack_from("<H", head, fields)[0] in _TABLE


def _holds_stablehlo(path: Path) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _STABLEHLO.search(content) is not None


def is_exported(source: object) -> bool:
    """Is it a program in memory? None is, before somebody imported ``jax.export``."""
    found = getattr(sys.modules.get("jax.export"), "Exported", None)
    return isinstance(found, type) and isinstance(source, found)
