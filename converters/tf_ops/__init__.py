"""Translations of TensorFlow operators that tf2onnx lacks or gets wrong, one file each, with their cases.

Importing the package imports no framework; :func:`load` imports the files, which register themselves.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules


def load() -> None:
    """Import every file of the package."""
    for module in iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
