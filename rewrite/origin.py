"""Provenance: where in the user's model a node comes from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewrite.protos import nodes

if TYPE_CHECKING:
    import onnx

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
_KEY = "sofie_convert."


@dataclass(frozen=True)
class Origin:
    """The exported node that a node stands for.

    :param node: its name, or its first output's where it has none.
    :param operator: its operator, as exported.
    :param source: ``file:line`` in the user's code, where the exporter recorded it.
    """

    node: str
    operator: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.operator} node {self.node!r}" + (f" ({self.source})" if self.source else "")

    def attach(self, node: onnx.NodeProto) -> None:
        """Write it into the node's metadata."""
        del node.metadata_props[:]
        for key in ("node", "operator", "source"):
            if text := getattr(self, key):
                node.metadata_props.add(key=_KEY + key, value=text)

    @classmethod
    def of(cls, node: onnx.NodeProto) -> Origin:
        """Read it from a node: ours if it is there, else what torch's exporter leaves."""
        meta = {p.key: p.value for p in node.metadata_props}
        if _KEY + "node" in meta:
            return cls(meta[_KEY + "node"], meta.get(_KEY + "operator", ""), meta.get(_KEY + "source", ""))
        name = node.name or next((o for o in node.output if o), "")
        return cls(name, node.op_type, _source(meta.get("pkg.torch.onnx.stack_trace", "") or node.doc_string))


def _source(trace: str) -> str:
    """The innermost frame of a Python stack trace as ``file:line``."""
    frames = _FRAME.findall(trace)
    return f"{frames[-1][0]}:{frames[-1][1]}" if frames else ""


def origins_of(model: onnx.ModelProto) -> dict[str, Origin]:
    """Origins of all nodes, those in the bodies of others too, by the names of their outputs."""
    return {
        name: origin for node in nodes(model.graph) for origin in (Origin.of(node),) for name in node.output if name
    }
