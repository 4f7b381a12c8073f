"""Branches that no input of a verification has taken: what is in them was emitted, and compared with nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
import onnx
from onnx import helper

from convert.errors import BadSamples
from rewrite.origin import Origin
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import Sample
from sofie_bridge.stages.control import is_control


def unseen_branches(model: onnx.ModelProto, samples: Sequence[Sample]) -> Iterator[str]:
    """One sentence for each branch of a rewritten model's own Ifs that none of the samples takes.

    Bodies inside bodies are not looked into.
    """
    nodes = [n for n in model.graph.node if is_control(n) and n.op_type == "If"]
    if not nodes:
        return
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    del asked.graph.output[:]
    names = dict.fromkeys(n.input[0] for n in nodes)
    given = {i.name for i in model.graph.input}
    asked.graph.output.extend(
        helper.make_tensor_value_info(n, onnx.TensorProto.BOOL, None) for n in names if n not in given
    )
    seen: dict[str, set[bool]] = {n: set() for n in names}
    reference = OnnxReference(asked) if asked.graph.output else None
    for sample in samples:
        held = dict(sample.arrays)
        with suppress(BadSamples):  # it was left out of the comparison too
            held |= reference(sample.arrays) if reference is not None else {}
        for name in names:
            seen[name] |= {bool(np.ravel(held[name])[0])} if name in held else set()
    for node in nodes:
        for missing in sorted({True, False} - seen[node.input[0]]):
            branch = "then_branch" if missing else "else_branch"
            yield (
                f"the {branch} of {Origin.of(node)} is unverified: no inputs that were compared take it;"
                " give some that do with --inputs"
            )
