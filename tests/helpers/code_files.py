"""Python files that belong to no package, as modules: those of fixtures/, and models beside tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parents[2] / "fixtures"


def module_of(path: Path, name: str = "") -> Any:
    """The file's module, made anew and known under ``name`` (the file's own), as pickles and tracebacks want."""
    spec = importlib.util.spec_from_file_location(name or path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
