"""Is this file an ONNX model? Walks the top-level protobuf fields with seeks, without onnx or protobuf."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_VARINT, _BYTES = 0, 2
#: ModelProto's fields (onnx/onnx.proto) and their wire types.
_FIELDS = {1: _VARINT, 2: _BYTES, 3: _BYTES, 4: _BYTES, 5: _VARINT, 6: _BYTES, 7: _BYTES, 8: _BYTES, 14: _BYTES,
           20: _BYTES, 25: _BYTES, 26: _BYTES}  # fmt: skip
_IR_VERSION, _GRAPH = 1, 7


def looks_like_onnx(path: Path) -> bool:
    """True if the file's top level reads as a ModelProto, complete or cut off in the graph.

    A TensorFlow SavedModel also begins with a small number in field 1; it has no field 7.
    """
    size = path.stat().st_size
    seen: set[int] = set()
    with path.open("rb") as file:
        while file.tell() < size:
            field = _field(file)
            if field is None:
                return False
            number, wire, value = field
            if _FIELDS.get(number) != wire or (number == _IR_VERSION and not 0 < value < 1000):
                return False
            seen.add(number)
            if wire == _BYTES:
                if file.tell() + value > size:
                    break
                file.seek(value, 1)
    return _GRAPH in seen and (_IR_VERSION in seen or seen != {_GRAPH})


def _field(file: BinaryIO) -> tuple[int, int, int] | None:
    tag, value = _varint(file), _varint(file)
    return None if tag is None or value is None else (tag >> 3, tag & 7, value)


def _varint(file: BinaryIO) -> int | None:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    return None
