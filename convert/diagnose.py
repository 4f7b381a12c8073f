"""A header is wrong: which node makes it so, and can it be worked round?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from convert.custom import declared
from convert.errors import CompileFailed, Finding, Mismatch, RunFailed, VerifyError
from rewrite.kept import is_kept

if TYPE_CHECKING:
    import onnx

    from rewrite.api import Rewritten
    from sofie_bridge.locate import Locator
    from sofie_bridge.samples import Sample
    from sofie_bridge.target import SofieTarget

#: Faults of the header itself, which a node may cause; others (no compiler, unfit inputs) no node does.
FAULTS = (Mismatch, CompileFailed, RunFailed)


@dataclass
class Diagnosis:
    """Finds the node with which a fault begins, and makes it illegal where it is wrong by itself.

    That is how an operator that SOFIE takes and gets wrong is met by a rule: the next round of rewriting sees the
    verdict, as does every later conversion with this build of SOFIE.
    """

    target: SofieTarget
    locator: Locator
    _condemned: set[bytes] = field(default_factory=set)

    def work_round(self, error: VerifyError, rewritten: Rewritten, sample: Sample) -> str:
        """What was found and condemned, in one sentence; empty if nothing can be done.

        Either way the error's text gets the place where the fault begins.
        """
        if not isinstance(error, FAULTS):
            return ""
        found = self.locator.locate(rewritten.model, sample)
        if found is None:
            return ""
        said = error.finding
        error.finding = Finding(said.what, str(found.origin), str(found), said.advice or "report this with the model")

        theirs = blame(found.node)
        if theirs:  # nothing of SOFIE's, and no other way for it
            error.finding = Finding(theirs, str(found.origin), found.fault.words, "one of the two is wrong")
            return ""

        from rewrite.graph import probe_of

        probe = probe_of(rewritten.model, found.node.output)
        key = probe.SerializeToString(deterministic=True)
        alone = self.locator.fault_of_node(probe)
        if alone is None or key in self._condemned:
            return ""
        self._condemned.add(key)
        self.target.condemn(probe, alone.words)
        return f"SOFIE takes {found.node.op_type} and gets it wrong here ({alone.words}); it is worked round"


def blame(node: onnx.NodeProto) -> str:
    """What to say where a fault begins with this node: "" but for a custom operator, and one of the library."""
    if is_kept(node):
        return f"the library's C++ of {node.op_type} and onnxruntime disagree"
    operator = declared(node.domain, node.op_type)
    return f"the C++ of {operator.full_name} and its NumPy implementation disagree" if operator is not None else ""
