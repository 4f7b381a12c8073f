"""One weight file for all stages: safetensors, in which the weights of a part are one tensor of bytes.

Such a tensor is the safetensors file that SOFIE wrote for the part, whole: it is handed to the part's own reader where
it lies, so parts of one code need no names apart for their weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sofie_bridge.samples import Array

_DTYPES = {"float32": "F32", "float64": "F64", "bool": "BOOL"} | {
    f"{sign}int{bits}": f"{short}{bits}" for sign, short in (("", "I"), ("u", "U")) for bits in (8, 16, 32, 64)
}


@dataclass(frozen=True)
class Stored:
    """The file's beginning, by which a header knows its weights, and where in the file each tensor is.

    :param size: of the file, in bytes. :param places: offset from the file's begin and number of bytes, by name.
    """

    head: str
    size: int
    places: dict[str, tuple[int, int]]


def store(path: Path, tensors: Mapping[str, Array]) -> Stored:
    """Write the file.

    Format: https://huggingface.co/docs/safetensors (eight bytes with the length of a JSON header, the header, data).
    """
    begin = 0
    entries, offsets = {}, {}
    for name, array in tensors.items():
        offsets[name] = (begin, array.nbytes)
        begin += array.nbytes
        dtype = _DTYPES[str(array.dtype)]
        entries[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [begin - array.nbytes, begin]}
    head = json.dumps(entries, separators=(",", ":"))
    head += " " * (-len(head) % 8)
    with path.open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head.encode())
        for array in tensors.values():
            file.write(np.ascontiguousarray(array).tobytes())
    start = 8 + len(head)
    return Stored(head, start + begin, {n: (start + offset, size) for n, (offset, size) in offsets.items()})
