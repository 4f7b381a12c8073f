"""SOFIE as a target: a node is legal if the installed SOFIE takes it and gives it ONNX's shapes and types."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import numpy as np
import onnx

from rewrite.probe import filled
from rewrite.target import Verdict
from sofie_bridge.measure import measure
from sofie_bridge.shapes import disagreements
from sofie_bridge.sofie import Sofie, build, words
from sofie_bridge.survey import family, trusted
from sofie_bridge.toolchain import find
from sofie_bridge.verdicts import verdicts
from sofie_bridge.worker import Request

#: Generating one node takes milliseconds; what takes longer hangs.
PROBE_SECONDS = 20.0
PROBE_MEMORY = 8 << 30


class SofieTarget:
    """Asks the installed SOFIE, once per distinct node: verdicts are kept on disk by SOFIE's build."""

    name = "SOFIE"
    #: What SOFIE's parser makes one operator of, where one node alone reads the first's output.
    merges = frozenset(
        {
            ("MatMul", "Add"),
            ("Conv", "Add"),
            ("ConvTranspose", "Add"),
            ("Gemm", "Relu"),
            ("BatchNormalization", "Relu"),
        }
    )

    def __init__(self, sofie: Sofie) -> None:
        self._sofie = sofie

    def judge(self, probe: onnx.ModelProto) -> Verdict:
        if not _is_whole(probe):
            return Verdict(False, "SOFIE's code for bodies of control flow cannot be measured node by node")
        if _declares_in_the_open(probe):
            return Verdict(False, "two of it in one header declare the same variable")
        kept = verdicts().get(self._key(probe))
        if kept is not None:
            return Verdict(**json.loads(kept))
        verdict, lasting = self._ask(probe)
        if lasting:
            self._keep(probe, verdict)
        return verdict

    def review(self, probes: Iterable[onnx.ModelProto]) -> bool:
        """Compile, run and compare what is of no family that the survey knows to be right; each once.

        :returns: whether one of them is wrong, and so no longer legal.
        """
        known = trusted(self._sofie.backend)
        waiting = {self._key(p): p for p in probes if family(p) not in known}
        waiting = {k: p for k, p in waiting.items() if verdicts().get(self._right(p)) is None and self.judge(p).legal}
        wrong = 0
        for probe, found in zip(
            waiting.values(),
            measure(list(waiting.values()), self._sofie, find(), masked=True) if waiting else [],
            strict=True,
        ):
            if found.outcome in ("right", "unjudged"):
                verdicts().set(self._right(probe), found.outcome)
            elif found.words:  # without words it was not SOFIE's doing: a busy machine had a part in it
                self.condemn(probe, found.words)
                wrong += 1
        return wrong > 0

    def condemn(self, probe: onnx.ModelProto, words: str) -> None:
        """From now on the node is illegal: SOFIE takes it, and what it makes of it was measured to be wrong."""
        self._keep(probe, Verdict(False, f"SOFIE takes it and gets it wrong: {words}"))

    def _keep(self, probe: onnx.ModelProto, verdict: Verdict) -> None:
        verdicts().set(self._key(probe), json.dumps({"legal": verdict.legal, "reason": verdict.reason}))

    def _right(self, probe: onnx.ModelProto) -> str:
        """Where it is kept, beside the verdicts, that the probe was measured and is right, and how it was measured."""
        infos = (*probe.graph.input, *probe.graph.output)
        is_open = any(d.dim_param for i in infos for d in i.type.tensor_type.shape.dim)
        how = "measured in checked memory, for larger sizes and none:" if is_open else "measured in used memory:"
        return how + self._key(probe)

    def _key(self, probe: onnx.ModelProto) -> str:
        content = probe.SerializeToString(deterministic=True)
        return f"{build(self._sofie.backend)}:{hashlib.sha256(content).hexdigest()}"

    def _ask(self, probe: onnx.ModelProto) -> tuple[Verdict, bool]:
        """The verdict; and is it SOFIE's own, or did a busy machine have a part in it?"""
        content = filled(probe, np.zeros).SerializeToString(deterministic=True)
        outputs = tuple(o.name for o in probe.graph.output)
        answer = self._sofie.ask(Request(content, tensors=outputs, seconds=PROBE_SECONDS, memory=PROBE_MEMORY))
        if answer.outcome != "generated":
            passing = answer.outcome == "timeout" or answer.words.startswith("SIGKILL")
            return Verdict(False, words(answer)), not passing
        wrong = disagreements(probe, answer.tensors, answer.code)
        return Verdict(not wrong, "; ".join(wrong)), True


def _declares_in_the_open(probe: onnx.ModelProto) -> bool:
    """Does SOFIE's code for the node declare, outside of any loop, a variable that is called the same in each?

    No node shows it by itself: SOFIE 0.1.0 calls the sum of a CumSum along a vector ``cs_acc``.
    """
    node = probe.graph.node[-1]
    infos = (*probe.graph.input, *probe.graph.value_info)
    rank = (
        next((len(i.type.tensor_type.shape.dim) for i in infos if i.name == node.input[0]), None)
        if node.input
        else None
    )
    return node.op_type == "CumSum" and not node.domain and rank == 1


def _is_whole(probe: onnx.ModelProto) -> bool:
    """Can it be run by itself? A body of control flow reads what is around it."""
    kinds = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    return all(a.type not in kinds for node in probe.graph.node for a in node.attribute)
