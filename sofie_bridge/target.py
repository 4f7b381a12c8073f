"""SOFIE as a target: a node is legal if the installed SOFIE takes it and gives it ONNX's shapes and types."""

from __future__ import annotations

import hashlib
import json

import onnx

from rewrite.target import Verdict
from sofie_bridge.shapes import disagreements
from sofie_bridge.sofie import Sofie, build
from sofie_bridge.verdicts import verdicts
from sofie_bridge.worker import Answer, Request

#: Generating one node takes milliseconds; what takes longer hangs.
PROBE_SECONDS = 20.0
PROBE_MEMORY = 8 << 30


class SofieTarget:
    """Asks the installed SOFIE, once per distinct node: verdicts are kept on disk by SOFIE's build."""

    name = "SOFIE"

    def __init__(self, sofie: Sofie) -> None:
        self._sofie = sofie

    def judge(self, probe: onnx.ModelProto) -> Verdict:
        kept = verdicts().get(_key(probe))
        if kept is not None:
            return Verdict(**json.loads(kept))
        verdict = self._ask(probe)
        self._keep(probe, verdict)
        return verdict

    def condemn(self, probe: onnx.ModelProto, words: str) -> None:
        """From now on the node is illegal: SOFIE takes it, and what it makes of it was measured to be wrong."""
        self._keep(probe, Verdict(False, f"SOFIE takes it and gets it wrong: {words}"))

    def _keep(self, probe: onnx.ModelProto, verdict: Verdict) -> None:
        verdicts().set(_key(probe), json.dumps({"legal": verdict.legal, "reason": verdict.reason}))

    def _ask(self, probe: onnx.ModelProto) -> Verdict:
        content = probe.SerializeToString(deterministic=True)
        outputs = tuple(o.name for o in probe.graph.output)
        answer = self._sofie.ask(Request(content, tensors=outputs, seconds=PROBE_SECONDS, memory=PROBE_MEMORY))
        if answer.outcome != "generated":
            return Verdict(False, words(answer))
        wrong = disagreements(probe, answer.tensors, answer.code)
        return Verdict(not wrong, "; ".join(wrong))


def _key(probe: onnx.ModelProto) -> str:
    return f"{build()}:{hashlib.sha256(probe.SerializeToString(deterministic=True)).hexdigest()}"


def words(answer: Answer) -> str:
    """SOFIE's own words in one line."""
    said = " ".join(answer.words.split())
    return said if answer.outcome == "refused" else f"SOFIE {answer.outcome}: {said}"
