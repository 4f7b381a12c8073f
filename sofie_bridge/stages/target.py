"""SOFIE and the kernels as one target: a node is legal if SOFIE takes it, or if a kernel is declared for it."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from rewrite.target import Verdict
from sofie_bridge.sofie import Sofie
from sofie_bridge.stages.kernel import Kernel, KernelOf, kernel_of
from sofie_bridge.stages.whole import Whole
from sofie_bridge.target import SofieTarget


class StagedTarget(SofieTarget):
    """Nodes with kernels are the kernels' to judge; what is left is SOFIE's.

    :param kernels: whose a node is.
    """

    def __init__(self, sofie: Sofie, kernels: KernelOf = kernel_of) -> None:
        super().__init__(sofie)
        self._kernels = kernels

    def judge(self, probe: onnx.ModelProto) -> Verdict:
        kernel = self._kernel(probe)
        if kernel is None:
            return super().judge(probe)
        node = probe.graph.node[-1]
        why = kernel.refuses(node, Whole(probe).inputs(node))
        return Verdict(not why, why)

    def review(self, probes: Iterable[onnx.ModelProto]) -> bool:
        """What a kernel gives is compared with its reference, in the whole model; it has none to be measured by."""
        return super().review(p for p in probes if self._kernel(p) is None)

    def _kernel(self, probe: onnx.ModelProto) -> Kernel | None:
        return self._kernels(probe.graph.node[-1])
