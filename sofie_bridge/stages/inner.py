"""A header that SOFIE made of a part of a model, for the header around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sofie_bridge import signature
from sofie_bridge.emit import Emitted
from sofie_bridge.shapes import header_dims
from sofie_bridge.signature import Signature


@dataclass(frozen=True)
class Inner:
    """What stands in it.

    :param code: its text; the same for parts that share it. :param weights: the part's own, as SOFIE wrote them.
    :param tensors: C++ names in that code, by ONNX name. :param symbols: of open dimensions likewise.
    :param dims: of outputs, by C++ name, as SOFIE states them.
    """

    code: str
    names: Signature
    weights: Path | None
    tensors: Mapping[str, str]
    symbols: Mapping[str, str]
    dims: Mapping[str, Sequence[int | str]]

    @classmethod
    def of(cls, emitted: Emitted) -> Inner:
        code = emitted.header.read_text(encoding="utf-8", errors="surrogateescape")
        named = emitted.named
        names = signature.read(code, named.name)
        return cls(code, names, emitted.weights, named.tensors, named.symbols, header_dims(code))
