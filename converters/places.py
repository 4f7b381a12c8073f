"""Where in the user's code: of an operation of JAX's, and of an error."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

#: Packages whose own lines say nothing to a user.
_INNER = (
    "jax", "jaxlib", "flax", "equinox", "jax2onnx", "jaxtyping", "optax", "numpy", "torch", "keras", "tf_keras",
    "tensorflow",
)  # fmt: skip
_OURS = Path(__file__).parents[1].as_posix()
_ROOMS = ("convert", "converters", "rewrite", "sofie_bridge")


def is_inner(path: str) -> bool:
    """Is the file one of ours, of Python's own making, or of a library that the user only calls?"""
    path = path.replace("\\", "/")
    ours = any(path.startswith(f"{_OURS}/{room}/") for room in _ROOMS)
    library = any(f"/site-packages/{package}/" in path for package in _INNER)
    pythons = "/lib/python3" in path and "/site-packages/" not in path
    return ours or library or pythons or path.startswith("<")


def user_line(source_info: Any) -> str:
    """The user's innermost line, "file:line", of an operation; "" where JAX kept none."""
    trace = source_info.traceback
    frames = trace.frames if trace is not None else ()
    return next((f"{f.file_name}:{f.line_num}" for f in frames if not is_inner(f.file_name)), "")


def last_user_line(error: BaseException | None) -> str:
    """The user's innermost line, "file:line", that an error passed through; "" for none."""
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    return next((f"{f.filename}:{f.lineno}" for f in reversed(frames) if not is_inner(f.filename)), "")
