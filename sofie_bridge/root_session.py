"""A header that reads its weights from a ROOT file: SOFIE's own text, unchanged, and a Session around its Session.

SOFIE writes headers whose Session takes its weights as a blob in memory, in the safetensors format. The Session of here
reads them by name from a ``TFile`` and hands such a blob on; all else is SOFIE's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from convert.errors import SofieRefused
from convert.root_layout import ELEMENTS
from sofie_bridge import signature
from sofie_bridge.filled import filled
from sofie_bridge.samples import Array
from sofie_bridge.session_weights import NAMES

#: Behind the model's name: the namespace of SOFIE's text.
INNER = "_network"

_INFER = re.compile(r"^[ \t]*(\S[^\n;{}]*?)[ \t]+infer\s*\(([^()]*)\)\s*\{", re.MULTILINE)
_CONSTRUCTOR = re.compile(r"\bSession\s*\(\s*SafetensorsBlob weights_blob([^()]*)\)")
_DIMENSIONS = re.compile(r"^// Input tensor dimensions$.*?(?=^inline void doInfer)", re.MULTILINE | re.DOTALL)


def around(text: str, name: str, tensors: Mapping[str, Array], *, file: str, folder: str) -> str:
    """The whole header, in the namespace that SOFIE gives to ``<name>``.

    :param text: SOFIE's header of the model under the name ``<name>_network``, with weights in a safetensors file.
    :param tensors: what its Session reads.
    :param file: name of the ROOT file that the constructor takes if none is given. :param folder: where in it they are.
    :raises SofieRefused: the text is not built as SOFIE 0.1.0 builds it.
    """
    inner = signature.read(text, name)
    infer, constructor, dimensions = _INFER.search(text), _CONSTRUCTOR.search(text), _DIMENSIONS.search(text)
    if infer is None or constructor is None or dimensions is None:
        raise SofieRefused(
            "no Session around this header", why="SOFIE writes it otherwise than 0.1.0 did", advice="other --weights"
        )
    facts = {
        "guard": f"SOFIE_{name.upper()}_HXX",
        "outer": inner.namespace.removesuffix(INNER),
        "inner": inner.namespace,
        "text": text,
        "dimensions": dimensions[0].strip(),
        "file": json.dumps(file, ensure_ascii=False),
        "folder": folder,
        "weights": [
            {"name": n, "element": ELEMENTS[a.dtype.name], "dtype": NAMES[a.dtype.name], "count": a.size}
            for n, a in tensors.items()
        ],
        "parameters": constructor[1],
        "sizes": inner.sizes,
        "result": infer[1],
        "arguments": infer[2].strip(),
        "passed": [n if n in inner.sizes else f"tensor_{n}" for n in inner.arguments],
    }
    return filled("root_session.hxx.j2", facts)
