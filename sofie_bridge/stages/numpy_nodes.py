"""Custom operators for ONNX's own evaluator: where one stands inside a loop or a branch, it runs the whole model."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.custom import CustomOperator, Tensor, all_declared
from rewrite.declared import attributes_of
from sofie_bridge.samples import Array


def numpy_nodes() -> list[type]:
    """Classes of ``onnx.reference.op_run.OpRun`` for the operators that have a NumPy implementation."""
    return [_node(operator) for operator in all_declared() if operator.reference is not None]


def _node(operator: CustomOperator) -> type:
    from onnx.reference.op_run import OpRun

    def run(self: Any, *inputs: Array | None, **_: Any) -> tuple[Array, ...]:
        attributes = operator.attributes(attributes_of(self.onnx_node))
        assert operator.reference is not None
        answer = operator.reference(*inputs, **attributes)
        given = [None if a is None else Tensor(str(a.dtype), a.shape, a) for a in inputs]
        declared = operator.outputs(given, attributes)
        answers = answer if isinstance(answer, tuple | list) else (answer,)
        return tuple(np.asarray(a, t.dtype) for a, t in zip(answers, declared, strict=False))

    return type(operator.name, (OpRun,), {"op_domain": operator.domain, "_run": run})
