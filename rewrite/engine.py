"""Legality drives rewriting: a rule fires because the target refuses a node."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import onnx

from convert.errors import BadModel, Finding, NotConverging, WrongRewrite
from rewrite.expand import expand
from rewrite.graph import Graph, Node, Tensor, refresh_shapes
from rewrite.in_rows import in_rows, works_on_numbers
from rewrite.origin import Origin
from rewrite.passes.fold_constants import fold
from rewrite.passes.write_defaults import write_default_attributes
from rewrite.rule import Body, NodeView, Op, Refusal, operator_of, rules_for
from rewrite.shape_arithmetic import computes_sizes
from rewrite.sizes_to_numbers import sizes_to_numbers
from rewrite.target import Library, Target, Verdict
from rewrite.unsupported import Unsupported, unsupported_node
from rewrite.witness import Watch, Witness

_INVALID = (onnx.shape_inference.InferenceError, onnx.checker.ValidationError)
_ADVICE = "if sizes were given, check them against the model's own constants: each branch of an If has to take them"

#: How many rules may fire on each other's output before they are taken for going in circles.
GENERATIONS = 24


@dataclass(frozen=True)
class Step:
    """One entry of the trail: at ``origin``, ``rule`` turned ``before`` into ``after``."""

    generation: int
    rule: str
    origin: Origin
    before: str
    after: tuple[str, ...]
    because: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.rule} turned {self.before} into {' -> '.join(self.after) or 'nothing'}"


@dataclass(frozen=True)
class Stuck:
    """A node that has no way: the target's words, each rule's reason for refusing, and the dtypes of its tensors.

    :param known: what stands against the operator as such.
    """

    operator: str
    origin: Origin
    signature: str
    reason: str
    refusals: tuple[tuple[str, str], ...]
    dtypes: frozenset[str]
    known: Unsupported | None = None

    def finding(self, target: str) -> Finding:
        if self.known is not None and self.known.always:
            return Finding(f"{self.signature} is refused", str(self.origin), self.known.why, self.known.advice)
        tried = "; ".join(f"{name}: {reason}" for name, reason in self.refusals) or "no rule expresses it"
        return Finding(
            f"{self.signature} has no way to {target}",
            str(self.origin),
            (f"{self.known.why}; " if self.known else "")
            + f"{target} says: {self.reason or 'not supported'} (rules: {tried})",
            self.known.advice if self.known else "",
        )


@dataclass
class Outcome:
    """What legalising did: the trail, what is stuck, and per exported operator how its nodes fared.

    :param kept: names of the outputs of nodes that are left to the library's kernels.
    """

    trail: list[Step] = field(default_factory=list)
    stuck: list[Stuck] = field(default_factory=list)
    native: Counter[str] = field(default_factory=Counter)
    kept: set[str] = field(default_factory=set)


#: A node, how many rules made it, and which.
_Work: TypeAlias = tuple[Node, int, tuple[Step, ...]]


class Engine:
    """Brings a graph to the point where the target takes every node, or the library has a kernel for it."""

    def __init__(
        self, graph: Graph, target: Target, witness: Witness | None = None, library: Library | None = None
    ) -> None:
        self.graph = graph
        self.target = target
        self.library = library
        self.watch = Watch(witness)
        self.outcome = Outcome()
        self._verdicts: dict[bytes, Verdict] = {}
        self._computed_outputs: set[str] = set()
        self._stuck: list[tuple[Node, Stuck]] = []

    def run(self) -> Outcome:
        """Visit each node once, and what rules make of it in its place: linear in what comes out.

        Pairs that the target merges come second, when it is settled who reads what.

        :raises NotConverging: with the trail of the node in question.
        """
        self.graph.nodes = self._legalised((node, 0, ()) for node in self.graph.nodes)
        self.graph.drop_dead()
        self.graph.nodes = [left for node in self.graph.nodes for left in self._apart(node)]
        # shape arithmetic may have no way and need none: what a rule made of its reader no longer reads it
        self.graph.drop_dead()
        alive = {id(n) for n in self.graph.nodes}
        self.outcome.stuck = [s for n, s in self._stuck if id(n) in alive]
        return self.outcome

    def probes(self) -> Iterator[onnx.ModelProto]:
        """What the target was asked about what is left: each node, and each pair that it merges."""
        for node in self.graph.nodes:
            if not self._judged_with_its_readers(node):
                yield from self.graph.probes(node)
            first = self._merged_with(node)
            if first is not None:
                yield from self.graph.probes(first, node)

    def _legalised(self, given: Iterable[_Work]) -> list[Node]:
        """The nodes, and what rules make of those that the target refuses, and of what they make in turn."""
        work = deque(given)
        kept: list[Node] = []
        while work:
            node, generation, path = work.popleft()
            added = self._folded(node)
            if added is not None:
                work.extendleft((n, generation, path) for n in reversed(added))
                continue
            verdict = self._judge_alone(node)
            if verdict.legal:
                if not generation:
                    self.outcome.native[node.op] += 1
                kept.append(node)
                continue
            left = self._computed_output(node)
            if left is not None:
                work.extendleft((n, generation + 1, path) for n in reversed(left))
                continue
            step, made = self._rewrite(node, generation, verdict, merged=False)
            if step is None:
                kept.append(node)
                continue
            path = (*path, step)
            if generation >= GENERATIONS:
                raise NotConverging(
                    "rules keep undoing each other's work",
                    where=str(step.origin),
                    why=" / ".join(str(s) for s in path[-4:]),
                    advice="report this with the model",
                )
            work.extendleft((n, generation + 1, path) for n in reversed(made))
        return kept

    def _apart(self, node: Node) -> list[Node]:
        """The node, or where the target gets it and the one that it merges it with wrong, what a rule makes of it."""
        first = self._merged_with(node)
        verdict = Verdict(True) if first is None else self._ask(first, node)
        if verdict.legal:
            return [node]
        step, made = self._rewrite(node, 0, verdict, merged=True)
        return [node] if step is None else self._legalised((n, 1, (step,)) for n in made)

    def _judge_alone(self, node: Node) -> Verdict:
        """The verdict on the node; on one that computes sizes, what matters of it by itself.

        That is only whether it works on single numbers where the target wants rows.
        """
        if not self._judged_with_its_readers(node) or works_on_numbers(NodeView(node)):
            return self.judge(node)
        return Verdict(True)

    def _judged_with_its_readers(self, node: Node) -> bool:
        return computes_sizes(node) and not any(self.graph.is_output(o) for o in node.outputs)

    def _merged_with(self, node: Node) -> Node | None:
        """The node before ``node`` with which the target makes one of it."""
        for tensor in node.inputs:
            first = tensor.inputs[0] if tensor.inputs else None
            if first is not None and (first.op, node.op) in self.target.merges and len(tensor.outputs) == 1:
                return first
        return None

    def _folded(self, node: Node) -> list[Node] | None:
        """Compute the node now, where a rule left it with constant inputs only; else learn what shapes that settled.

        What makes an output of the model stays: that needs a node, and a rule may have made this one for it.

        :returns: nodes that are left of it; None where it stays.
        """
        left = None if any(self.graph.is_output(o) for o in node.outputs) else self._computed(node)
        if left is None:
            refresh_shapes(node)
        return left

    def _computed_output(self, node: Node) -> list[Node] | None:
        """Compute an output of the model that the target will not; once, for a rule may have made this of it."""
        names = {o.name for o in node.outputs}
        if names <= self._computed_outputs:
            return None
        left = self._computed(node)
        self._computed_outputs |= names if left is not None else set()
        return left

    def _computed(self, node: Node) -> list[Node] | None:
        """Put constants in the place of the node's outputs, and an Identity where one is an output of the model."""
        values = fold(node)
        if values is None:
            return None
        constants = [self.graph.constant(v, o.name or "unused") for v, o in zip(values, node.outputs, strict=True)]
        where = str(self.graph.origin(node))
        self.watch.after(
            self.watch.before(node, self.graph), [], constants, by="folding", what=signature(node), where=where
        )
        return self.graph.substitute(node, constants)

    def takes(self, node: Node) -> bool:
        """Does the target take the node as it is?"""
        return self.judge(node).legal

    def judge(self, node: Node) -> Verdict:
        known = unsupported_node(node)
        if known is not None and known.always:
            return Verdict(False, known.why)
        unknown = [t.name for t in (*node.inputs, *node.outputs) if t.name and t.dtype is None]
        if unknown:
            return Verdict(False, f"the dtype of {unknown[0]!r} could not be inferred")
        shapeless = [t.name for t in (*node.inputs, *node.outputs) if t.name and t.shape is None]
        if shapeless:
            return Verdict(False, f"not even the rank of {shapeless[0]!r} is known before the model runs")
        return self._ask(node)

    def _ask(self, *nodes: Node) -> Verdict:
        """The target's verdict on the nodes together, however it holds the numbers without axes that they read."""
        verdict = Verdict(True)
        for probe in self.graph.probes(*nodes):
            key = probe.SerializeToString(deterministic=True)
            if key not in self._verdicts:
                self._verdicts[key] = self.target.judge(probe)
            verdict = self._verdicts[key]
            if not verdict.legal:
                break
        return verdict

    def _rewrite(
        self, node: Node, generation: int, verdict: Verdict, *, merged: bool
    ) -> tuple[Step | None, list[Node]]:
        refusals: list[tuple[str, str]] = []
        known = unsupported_node(node)
        for name, body in [] if known is not None and known.always else self._ways(node, merged=merged):
            made = self._by(name, body, node, generation, verdict)
            if not isinstance(made, Refusal):
                return made
            refusals.append((name, made.reason))
        if not merged and self.library is not None:
            why = self._without_kernel(node, self.library)
            if not why:
                made = self._by("sizes_to_numbers", partial(sizes_to_numbers, kept=True), node, generation, verdict)
                if not isinstance(made, Refusal):
                    return made
                self.outcome.kept |= {o.name for o in node.outputs}
                return None, []
            refusals.append(("the library of kernels", why))
        reasons = tuple((n, r) for n, r in refusals if r)
        dtypes = frozenset(str(t.dtype) for t in (*node.inputs, *node.outputs) if t.name)
        origin, before = self.graph.origin(node), signature(node)
        self._stuck.append((node, Stuck(node.op, origin, before, verdict.reason, reasons, dtypes, known)))
        return None, []

    @staticmethod
    def _ways(node: Node, *, merged: bool) -> list[tuple[str, Body]]:
        """Ways to express the node, in the order in which they are tried."""
        named = [(r.name, r.body) for r in rules_for(operator_of(node), merged=merged)]
        if merged:
            return named
        return [("in_rows", in_rows), *named, ("function_body", expand), ("sizes_to_numbers", sizes_to_numbers)]

    def _by(
        self, name: str, body: Body, node: Node, generation: int, verdict: Verdict
    ) -> tuple[Step, list[Node]] | Refusal:
        """What one way makes of the node, in its place; or why it does not."""
        op, origin = Op(self.graph, node.outputs[0].name), self.graph.origin(node)
        try:
            result = body(op, NodeView(node))
        except _INVALID as error:
            _refuse_invalid(self.graph.probe(node), signature(node), str(origin))
            raise WrongRewrite(
                f"the rule {name} built an invalid node for {signature(node)}",
                where=str(origin),
                why=str(error),
                advice="report this with the model",
            ) from error
        if isinstance(result, Refusal):
            self.graph.discard(op.nodes)
            return result
        before, shown = signature(node), self.watch.before(node, self.graph)
        results = list(result) if isinstance(result, list | tuple) else [result]
        lacks = [o.name for o, r in zip(node.outputs, results, strict=True) if r is None and self._is_read(o)]
        if lacks:
            raise WrongRewrite(f"the rule {name} gives nothing for {lacks[0]!r}, which is read", where=str(origin))
        self.watch.after(shown, op.nodes, results, by=f"the rule {name}", what=before, where=str(origin))
        made = self._put(node, op, results, origin)
        step = Step(generation, name, origin, before, tuple(n.op for n in made), verdict.reason)
        self.outcome.trail.append(step)
        return step, made

    def _without_kernel(self, node: Node, library: Library) -> str:
        """Why the library has no kernel for the node; "" where it has."""
        named = [t for t in (*node.inputs, *node.outputs) if t.name]
        if any(t.dtype is None or t.shape is None for t in named):
            return "not all of its dtypes and ranks are known"
        return library.refuses(self.graph.probe(node))

    def _is_read(self, tensor: Tensor) -> bool:
        return bool(tensor.outputs) or self.graph.is_output(tensor)

    def _put(self, node: Node, op: Op, results: list[Tensor | None], origin: Origin) -> list[Node]:
        """Put the nodes that a rule built into the graph in place of ``node``, but for those that nobody reads."""
        made = [*op.nodes, *self.graph.substitute(node, results)]
        used: list[Node] = []
        for new in reversed(made):
            if not any(self._is_read(o) for o in new.outputs):
                self.graph.discard([new])
                continue
            used.append(new)
            write_default_attributes(new)
            for out in new.outputs:
                if out.name:
                    self.graph.origins.setdefault(out.name, origin)
        return used[::-1]


def _refuse_invalid(probe: onnx.ModelProto, shown: str, where: str) -> None:
    """
    :raises BadModel: the node itself is none that ONNX allows. The branch of an If that is not for the given sizes may
        have such: inference passes it over where a shape is known too late.
    """
    try:
        onnx.shape_inference.infer_shapes(probe, strict_mode=True)
    except _INVALID as error:
        what = f"{shown} is not valid ONNX"
        raise BadModel(what, where=where, why=str(error).splitlines()[-1], advice=_ADVICE) from error


def signature(node: Node) -> str:
    """The node in one line: ``Resize(float32[1,3,8,8], …) mode=nearest``, for messages."""
    shown = ", ".join(
        f"{t.dtype}[{','.join(map(str, t.shape or ()))}]" if t.shape is not None else f"{t.dtype}[?]" if t.name else "-"
        for t in node.inputs
    )
    attributes = " ".join(f"{k}={v}" for k, v in node.attrs.items() if isinstance(v, int | float | str | list))
    domain = f"{node.domain}." if node.domain else ""
    return f"{domain}{node.op}({shown}) {attributes}".strip()
