"""The SOFIEs that headers are made with. A new one is a file and a line here."""

from __future__ import annotations

from importlib import import_module

from sofie_bridge.backends.base import Backend

#: Modules with a ``backend``, by its name; the first is the default.
_MODULES = {"pysofie": "sofie_bridge.backends.pysofie", "root": "sofie_bridge.backends.root"}

NAMES = tuple(_MODULES)
DEFAULT = NAMES[0]


def backend(name: str) -> Backend:
    """The backend of that name, one of :data:`NAMES`. Nothing of it is imported before it is asked."""
    found: Backend = import_module(_MODULES[name]).backend
    return found
