"""Domains of operators that are not ONNX's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def import_domains(model: onnx.ModelProto) -> None:
    """Import the domains of custom operators, which exporters other than torch's leave out, in place."""
    import onnx

    imported = {o.domain for o in model.opset_import} | {"", "ai.onnx"}
    held = (*model.graph.node, *(n for f in model.functions for n in f.node))
    foreign = sorted({n.domain for n in held} - imported)
    model.opset_import.extend(onnx.helper.make_opsetid(domain, 1) for domain in foreign)
