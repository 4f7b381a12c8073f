"""What rewriting asks of a target: is this node legal?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Verdict:
    """Legal or not; where not, ``reason`` holds the target's own words."""

    legal: bool
    reason: str = ""


class Target(Protocol):
    """Where the graph is going. Tests use fakes; ``sofie_bridge.target`` has the real one."""

    name: str

    def judge(self, probe: onnx.ModelProto) -> Verdict:
        """Is the one node of ``probe``, with its dtypes, shapes, attributes and constant inputs, taken and right?

        Probes come from :meth:`rewrite.graph.Graph.probe`; equal nodes give equal bytes.
        """
