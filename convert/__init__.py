"""Any trained model in, a C++ header out, proved right.

>>> import convert
>>> report = convert.convert("model.onnx", to="header", output="out/")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convert.api import convert as convert
    from convert.errors import ConvertError as ConvertError
    from convert.report import Report as Report

__all__ = ["ConvertError", "Report", "convert"]
__version__ = "0.1.0"

_HOMES = {"convert": "convert.api", "Report": "convert.report", "ConvertError": "convert.errors"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'convert' has no attribute {name!r}")
