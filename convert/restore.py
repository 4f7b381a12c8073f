"""Back from a ``.root`` file: the header that lies there, if it is asked for and SOFIE still writes it.

The text in the file is code of unknown origin, and verification compiles and runs it. So it is given back only where
the installed SOFIE writes the same of the model in the file, bit for bit, and the same weights; else the model is
converted anew.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import get_args

import onnx

from convert.errors import CompileFailed, EmitError
from convert.request import Request
from convert.root_file import digest_of
from converters.base import Stored
from rewrite.api import Rewritten
from sofie_bridge import signature
from sofie_bridge.emit import Emitted, Weights, session_tensors
from sofie_bridge.sofie import Sofie
from sofie_bridge.stages.emit import emit


def other_wish(request: Request, stored: Stored, name: str) -> str:
    """What of the request the stored header is not; "" where it is what is asked for.

    :param name: the model's name by the request.
    """
    wishes = {
        f"--weights {request.weights}": request.weights not in (None, stored.weights),
        f"the name {name}": name != stored.name,
        "--to project": request.to == "project" and stored.weights == "root",
        "--input": bool(request.inputs),
        "--batch": request.batch is not None,
        "--float32": request.float32,
        "--layout nchw": request.layout == "nchw",
        "--paranoid": request.paranoid,
    }
    return " and ".join(wish for wish, holds in wishes.items() if holds)


def restored(stored: Stored, model: onnx.ModelProto, folder: Path, sofie: Sofie) -> Emitted | None:
    """The header as it is stored, in place of what SOFIE writes today, once that is found to be the same.

    :param model: the one in the file, as it was rewritten. :param folder: for what SOFIE writes.
    :returns: None where SOFIE writes another header or other weights, or none.
    """
    weights: Weights = next((w for w in get_args(Weights) if w == stored.weights), "file")
    try:
        # of a path in text of unknown origin, the name alone counts
        root = Path(signature.read(stored.header).weights).name if weights == "root" else ""
        emitted = emit(model, stored.name, folder, sofie, weights=weights, root=root, inline=True)
        if not _same(stored, emitted, sofie, folder):
            return None
    except (EmitError, CompileFailed):
        return None
    emitted.header.write_text(stored.header)
    return replace(emitted, described=True)


def _same(stored: Stored, emitted: Emitted, sofie: Sofie, folder: Path) -> bool:
    """But for the comments in front, which say when and of what it was made."""
    text = emitted.header.read_text()
    before = stored.header.removesuffix(text)
    if not stored.header.endswith(text) or not _only_comments(before) or digest_of(emitted) != stored.digest:
        return False
    tensors = session_tensors(emitted, sofie, folder)
    return tensors.keys() == stored.tensors.keys() and all(
        tensors[n].tobytes() == a.tobytes() for n, a in stored.tensors.items()
    )


def _only_comments(text: str) -> bool:
    """No line is code, nor continued into the next. To gcc a carriage return ends a line too."""
    return "\r" not in text and all(
        (not line or line.startswith("//")) and not line.rstrip().endswith("\\") for line in text.split("\n")
    )


def unchanged(model: onnx.ModelProto) -> Rewritten:
    """A model that was rewritten before: nothing to do."""
    operators = Counter(node.op_type for node in model.graph.node)
    return Rewritten(model, operators, operators, operators, (), (), {})
