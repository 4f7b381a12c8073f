"""What a user should know of a staged model."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from rewrite.kept import is_kept
from sofie_bridge.stages.kernel import kernel_of
from sofie_bridge.stages.reference import unverified


def notes_on(model: onnx.ModelProto, weights: str | None, framework: str) -> Iterator[str]:
    """One sentence each; none for a model that is SOFIE's alone.

    :param weights: what was asked for, None for the default.
    :param framework: whose answers there are besides ONNX's; "" for none.
    """
    kept = list(dict.fromkeys(n.op_type for n in model.graph.node if is_kept(n)))
    if not kept and all(kernel_of(n) is None for n in model.graph.node):
        return
    if kept:
        yield f"run by C++ of this program's own, for SOFIE has nothing for it: {', '.join(kept)}"
    if weights in (None, "file"):
        yield "a model of several stages has its weights in one safetensors file, not in SOFIE's text file"
    for name in unverified(model):
        if framework:
            yield f"the C++ of {name} is compared with {framework} alone: it has no NumPy implementation"
        else:
            yield f"the C++ of {name} itself is unverified: it has no NumPy implementation to be compared with"
