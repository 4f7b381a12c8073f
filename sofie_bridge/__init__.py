"""The target: probing SOFIE, emitting, compiling, running and comparing headers.

>>> import sofie_bridge
>>> header = sofie_bridge.load("model.hxx")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sofie_bridge.header import Header as Header
    from sofie_bridge.header import load as load

__all__ = ["Header", "load"]

_HOMES = {"Header": "sofie_bridge.header", "load": "sofie_bridge.header"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'sofie_bridge' has no attribute {name!r}")
