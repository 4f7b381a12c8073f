"""ONNX operators inside a TensorFlow function that is traced for export: the twin of ``torch.onnx.ops.symbolic``.

TensorFlow has no operator that takes any name, so the trace holds a Python function's node (``PyFunc``) under a token
of ours, and the translation of that node looks the token up. The node is never run. So a layer with such an operator
has two ways::

    def call(self, x):
        if is_in_onnx_export():
            return onnx_operator("HardSwish", [x], {}, [(x.dtype, x.shape)])[0]
        return x * tf.nn.relu6(x + 3) / 6
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from typing import Any

from converters.translations import tensorflow

_numbers = count()
_exporting = ContextVar("_exporting", default=False)


@dataclass(frozen=True)
class _Operator:
    name: str
    domain: str
    present: tuple[bool, ...]
    attributes: Mapping[str, Any]


_operators: dict[str, _Operator] = {}


def is_in_onnx_export() -> bool:
    """Is the code that asks being traced for ONNX? The twin of ``torch.onnx.is_in_onnx_export``."""
    return _exporting.get()


@contextmanager
def exporting() -> Iterator[None]:
    """Context of a trace for ONNX."""
    before = _exporting.set(True)
    try:
        yield
    finally:
        _exporting.reset(before)


def onnx_operator(
    name: str,
    inputs: Sequence[Any],
    attributes: Mapping[str, Any],
    outputs: Sequence[tuple[Any, Sequence[int | None]]],
    *,
    domain: str = "",
) -> list[Any]:
    """An ONNX node in the graph that is being traced.

    :param name: the ONNX operator ("GRU").
    :param inputs: tensors; None for an optional input that is left out.
    :param attributes: numbers, strings, lists of them.
    :param outputs: dtype and shape of each output; None is an unknown size.
    :param domain: a domain of the user's for an operator that is not ONNX's.
    :raises RuntimeError: outside of a trace, where there is nothing to write the node into.
    """
    import tensorflow as tf

    if not is_in_onnx_export():
        raise RuntimeError(f"{name} is for graphs that are traced for export (is_in_onnx_export), and cannot be run")
    token = f"onnx:{name}:{next(_numbers)}"
    _operators[token] = _Operator(name, domain, tuple(i is not None for i in inputs), dict(attributes))
    made = tf.raw_ops.PyFunc(
        input=[tf.convert_to_tensor(i) for i in inputs if i is not None],
        token=token,
        Tout=[dtype for dtype, _ in outputs],
    )
    # a PyFunc's node keeps no shapes
    return [tf.ensure_shape(tensor, tuple(shape)) for tensor, (_, shape) in zip(made, outputs, strict=True)]


@tensorflow("PyFunc")
def _operator(g: Any, node: Any) -> Any:
    token = (node.attr("token") or b"").decode()
    if token not in _operators:
        raise NotImplementedError("Python code inside the graph")  # which converters.tf_refusals puts into words
    wanted = _operators[token]
    given = iter(node.inputs)
    inputs = [next(given) if present else "" for present in wanted.present]
    return g.op(wanted.name, inputs, outputs=len(node.outputs), domain=wanted.domain, **wanted.attributes)
