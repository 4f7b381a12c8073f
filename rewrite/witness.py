"""``--paranoid``: whoever changes the graph is watched, one change at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from rewrite.fragment import Fragment
from rewrite.graph import Graph, Node, Tensor

if TYPE_CHECKING:
    import onnx


class Witness(Protocol):
    """Sees what was before and after each change. Tests use fakes; ``sofie_bridge.witness`` runs both."""

    def compare(self, before: onnx.ModelProto, after: onnx.ModelProto, *, by: str, what: str, where: str) -> None:
        """Do both give the same numbers? Their inputs and outputs have the same names and order.

        :param by: who made the change: "the rule celu_to_elu", "the pass fold_constants".
        :param what: what was changed: a node in one line, or "the model".
        :param where: its place in the user's model.
        :raises convert.errors.WrongRewrite: they do not.
        """

    def pass_over(self, *, by: str, what: str, where: str, why: str) -> None:
        """A change that cannot be shown as two models, because of ``why``."""


class Watch:
    """Shows changes to a witness; without one it does nothing besides."""

    def __init__(self, witness: Witness | None = None) -> None:
        self.witness = witness

    def on_graph(self, change: Callable[[Graph], object], graph: Graph) -> None:
        """Run a pass on the graph."""
        before = graph.write() if self.witness is not None else None
        change(graph)
        if self.witness is not None and before is not None:
            self.witness.compare(before, graph.write(), by=f"the pass {_name(change)}", what="the model", where="")

    def on_model(
        self, change: Callable[[onnx.ModelProto], onnx.ModelProto | None], model: onnx.ModelProto
    ) -> onnx.ModelProto:
        """Run a pass on a model; what it returns, or ``model`` where it changes that in place."""
        if self.witness is None:
            return change(model) or model
        before = type(model).FromString(model.SerializeToString())
        after = change(model) or model
        self.witness.compare(before, after, by=f"the pass {_name(change)}", what="the model", where="")
        return after

    def before(self, node: Node, graph: Graph) -> Fragment | None:
        """The node of ``graph`` as it is now, for :meth:`after`."""
        return Fragment(node, graph.foreign) if self.witness is not None else None

    def after(
        self,
        fragment: Fragment | None,
        made: Sequence[Node],
        results: Sequence[Tensor | None],
        *,
        by: str,
        what: str,
        where: str,
    ) -> None:
        """Show what was made of a node, before that takes the node's place."""
        if self.witness is None or fragment is None:
            return
        why = fragment.hindrance(made, results)
        if why:
            self.witness.pass_over(by=by, what=what, where=where, why=why)
        else:
            self.witness.compare(*fragment.models(made, results), by=by, what=what, where=where)


def _name(change: Callable[..., object]) -> str:
    return getattr(change, "__name__", type(change).__name__)
