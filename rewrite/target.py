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


class Library(Protocol):
    """Kernels for what neither a target nor a rule takes: asked last."""

    def refuses(self, probe: onnx.ModelProto) -> str:
        """Why there is no kernel for the last node of ``probe``; "" where there is one: it stays as it is then."""


class Target(Protocol):
    """Where the graph is going. Tests use fakes; ``sofie_bridge.target`` has the real one."""

    name: str
    #: Pairs of operators that the target makes one of, where nothing else reads what is between: judged together.
    merges: frozenset[tuple[str, str]]

    def judge(self, probe: onnx.ModelProto) -> Verdict:
        """Are the nodes of ``probe``, with their dtypes, shapes, attributes and constant inputs, taken and right?

        Probes come from :meth:`rewrite.graph.Graph.probe`: one node and the shape arithmetic in front of it, or a
        merged pair. Equal nodes give equal bytes. Weights are without numbers, for which
        :func:`rewrite.probe.filled` is there.
        """
