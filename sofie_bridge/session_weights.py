"""What a header's Session reads: SOFIE's tensors, out of its safetensors file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from convert.errors import SofieRefused
from sofie_bridge.samples import Array

#: numpy dtypes by the names that safetensors files have for them.
_DTYPES = {
    "F32": "float32", "F64": "float64", "I16": "int16", "I32": "int32", "I64": "int64",
    "U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64", "BOOL": "uint8",
}  # fmt: skip
#: Back, for a dtype that has one name.
NAMES = {numpy: name for name, numpy in _DTYPES.items() if name != "BOOL"}


def read_safetensors(path: Path) -> dict[str, Array]:
    """Flat arrays by SOFIE's names, in the file's order.

    :param path: as SOFIE wrote it: little-endian size of the JSON in eight bytes, the JSON, the numbers.
    :raises SofieRefused: a dtype that ``std::vector`` in a ROOT file has no elements for.
    """
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    listed = json.loads(content[8:start])
    found: dict[str, Array] = {}
    for name, told in listed.items():
        if name == "__metadata__":
            continue
        if told["dtype"] not in _DTYPES:
            raise SofieRefused(f"weights of the type {told['dtype']} have no place in a ROOT file", where=name)
        begin, end = told["data_offsets"]
        found[name] = np.frombuffer(content[start + begin : start + end], _DTYPES[told["dtype"]])
    return found
