"""Code that needs ROOT, in a process of its own: implicit multi-threading and what cling has read last for a process."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

needs_root = pytest.mark.skipif(find_spec("ROOT") is None, reason="ROOT is not installed (the extra root)")

_PRELUDE = f"""
import json, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import numpy as np, ROOT
import sofie_bridge.arrays, sofie_bridge.cling, sofie_bridge.rdf as rdf
from convert.errors import ConvertError
told = {{}}
def tell(name, value):
    told[name] = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
def error_of(call):
    try:
        call()
    except ConvertError as error:
        return str(error)
def in_order(df, *names):
    got = df.AsNumpy([*names, "event"])
    return [np.array([np.asarray(v) for v in got[n]])[np.argsort(got["event"])] for n in names]
"""


def in_root(code: str, folder: Path) -> dict[str, Any]:
    """Run ``code`` in ``folder``; what it handed to ``tell(name, value)``."""
    text = f"{_PRELUDE}\n{code}\nprint('told', json.dumps(told), sep='')"
    done = subprocess.run([sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout.rpartition("told{")[2].join(["{", ""]))
    return told
