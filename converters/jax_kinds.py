"""Files of JAX's, told by their content."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from convert.errors import BadModel
from converters.jax_params import is_checkpoint

CHECKPOINT, EXPORTED = "Orbax checkpoint (with --model)", "jax.export program"

#: The table of fields that every program of jax.export begins with: a flatbuffer of its Exported.
_EXPORTED = bytes([0x3C, 0, 0, 0, 0x38, 0, 0x60, 0, 0x5E, 0, 0x58, 0])


def sniff(head: bytes, path: Path) -> str | None:
    """The kind; no framework is imported."""
    if path.is_dir():
        return CHECKPOINT if is_checkpoint(path) else None
    return EXPORTED if head.startswith(_EXPORTED) else None


def refuse_exported(where: str) -> NoReturn:
    """
    :raises BadModel: always.
    """
    raise BadModel(
        "a jax.export program holds compiled StableHLO, not the operations of jax.lax", where=where,
        advice="give the function that it was exported from: python -m convert model.py:factory --params FILE",
    )  # fmt: skip
