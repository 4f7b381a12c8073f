"""Legality drives rewriting: a rule fires because the target refuses a node."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

import onnx

from convert.errors import Finding, NotConverging, WrongRewrite
from rewrite.expand import expand
from rewrite.graph import Graph, Node, Tensor, refresh_shapes
from rewrite.origin import Origin
from rewrite.passes.fold_constants import fold
from rewrite.passes.write_defaults import write_default_attributes
from rewrite.rule import NodeView, Op, Refusal, rules_for
from rewrite.target import Target, Verdict

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
    """A node that has no way: the target's words, and each rule's reason for refusing."""

    operator: str
    origin: Origin
    signature: str
    reason: str
    refusals: tuple[tuple[str, str], ...]

    def finding(self, target: str) -> Finding:
        tried = "; ".join(f"{name}: {reason}" for name, reason in self.refusals) or "no rule expresses it"
        return Finding(
            f"{self.signature} has no way to {target}",
            str(self.origin),
            f"{target} says: {self.reason or 'not supported'} (rules: {tried})",
        )


@dataclass
class Outcome:
    """What legalising did: the trail, what is stuck, and per exported operator how its nodes fared."""

    trail: list[Step] = field(default_factory=list)
    stuck: list[Stuck] = field(default_factory=list)
    native: Counter[str] = field(default_factory=Counter)


class Engine:
    """Brings a graph to the point where the target takes every node."""

    def __init__(self, graph: Graph, target: Target) -> None:
        self.graph = graph
        self.target = target
        self.outcome = Outcome()
        self._verdicts: dict[bytes, Verdict] = {}

    def run(self) -> Outcome:
        """Visit each node once, and what rules make of it in its place: linear in what comes out.

        :raises NotConverging: with the trail of the node in question.
        """
        work: deque[tuple[Node, int, tuple[Step, ...]]] = deque((node, 0, ()) for node in self.graph.nodes)
        kept: list[Node] = []
        without: list[Node] = []
        while work:
            node, generation, path = work.popleft()
            added = self._folded(node)
            if added is not None:
                work.extendleft((n, generation, path) for n in reversed(added))
                continue
            verdict = self.judge(node)
            if verdict.legal:
                if not generation:
                    self.outcome.native[node.op] += 1
                kept.append(node)
                continue
            step, made = self._rewrite(node, generation, verdict)
            if step is None:
                kept.append(node)
                without.append(node)
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
        self.graph.nodes = kept
        # shape arithmetic may have no way and need none: what a rule made of its reader no longer reads it
        self.graph.drop_dead()
        alive = {id(n) for n in self.graph.nodes}
        self.outcome.stuck = [s for n, s in zip(without, self.outcome.stuck, strict=True) if id(n) in alive]
        return self.outcome

    def _folded(self, node: Node) -> list[Node] | None:
        """Compute the node now, where a rule left it with constant inputs only; else learn what shapes that settled.

        What makes an output of the model stays: that needs a node, and a rule may have made this one for it.

        :returns: nodes that are left of it; None where it stays.
        """
        values = None if any(self.graph.is_output(o) for o in node.outputs) else fold(node)
        if values is None:
            refresh_shapes(node)
            return None
        constants = [self.graph.constant(v, o.name or "unused") for v, o in zip(values, node.outputs, strict=True)]
        return self.graph.substitute(node, constants)

    def judge(self, node: Node) -> Verdict:
        unknown = [t.name for t in (*node.inputs, *node.outputs) if t.name and t.dtype is None]
        if unknown:
            return Verdict(False, f"the dtype of {unknown[0]!r} could not be inferred")
        shapeless = [t.name for t in (*node.inputs, *node.outputs) if t.name and t.shape is None]
        if shapeless:
            return Verdict(False, f"not even the rank of {shapeless[0]!r} is known before the model runs")
        probe = self.graph.probe(node)
        key = probe.SerializeToString(deterministic=True)
        if key not in self._verdicts:
            self._verdicts[key] = self.target.judge(probe)
        return self._verdicts[key]

    def _rewrite(self, node: Node, generation: int, verdict: Verdict) -> tuple[Step | None, list[Node]]:
        refusals: list[tuple[str, str]] = []
        origin, before = self.graph.origin(node), signature(node)
        ways = [(r.name, r.body) for r in rules_for(node.op)] if not node.domain else []
        for name, body in [*ways, ("function_body", expand)]:
            op = Op(self.graph, node.outputs[0].name)
            try:
                result = body(op, NodeView(node))
            except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
                raise WrongRewrite(
                    f"the rule {name} built an invalid node for {before}",
                    where=str(origin),
                    why=str(error),
                    advice="report this with the model",
                ) from error
            if isinstance(result, Refusal):
                refusals.append((name, result.reason))
                self.graph.discard(op.nodes)
                continue
            results = list(result) if isinstance(result, list | tuple) else [result]
            lacks = [o.name for o, r in zip(node.outputs, results, strict=True) if r is None and self._is_read(o)]
            if lacks:
                raise WrongRewrite(f"the rule {name} gives nothing for {lacks[0]!r}, which is read", where=str(origin))
            made = self._put(node, op, results, origin)
            step = Step(generation, name, origin, before, tuple(n.op for n in made), verdict.reason)
            self.outcome.trail.append(step)
            return step, made
        reasons = tuple((n, r) for n, r in refusals if r)
        self.outcome.stuck.append(Stuck(node.op, origin, before, verdict.reason, reasons))
        return None, []

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


def signature(node: Node) -> str:
    """The node in one line: ``Resize(float32[1,3,8,8], …) mode=nearest``, for messages."""
    shown = ", ".join(
        f"{t.dtype}[{','.join(map(str, t.shape or ()))}]" if t.shape is not None else f"{t.dtype}[?]" if t.name else "-"
        for t in node.inputs
    )
    attributes = " ".join(f"{k}={v}" for k, v in node.attrs.items() if isinstance(v, int | float | str | list))
    domain = f"{node.domain}." if node.domain else ""
    return f"{domain}{node.op}({shown}) {attributes}".strip()
