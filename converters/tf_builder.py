"""What a translation of a TensorFlow operator sees: the node, and a builder of ONNX operators.

Thin over tf2onnx's graph, so that a translation reads as an equation::

    @tensorflow("Expm1")
    def expm1(g, node):
        return g.Sub(g.Exp(node.inputs[0]), g.constant(1, like=node.inputs[0]))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


class TfNode:
    """An operator of a TensorFlow graph.

    ``inputs`` are names of tensors, to be handed to the builder's operators.
    """

    def __init__(self, graph: Any, node: Any) -> None:
        self._graph, self._node = graph, node
        self.name: str = node.name
        self.operator: str = node.type
        self.inputs: tuple[str, ...] = tuple(node.input)
        self.outputs: tuple[str, ...] = tuple(node.output)

    def attr(self, name: str, default: Any = None) -> Any:
        """A TensorFlow attribute's value; strings are bytes, as TensorFlow has them."""
        return self._node.get_attr_value(name, default)

    def shape(self, tensor: str) -> tuple[int | None, ...] | None:
        """Sizes of a tensor; None where a size, or the rank, is not known."""
        shape = self._graph.get_shape(tensor)
        return None if shape is None else tuple(None if d is None or d < 0 else d for d in shape)

    def dtype(self, tensor: str) -> np.dtype[Any]:
        from tf2onnx import utils

        found: np.dtype[Any] = np.dtype(utils.map_onnx_to_numpy_type(self._graph.get_dtype(tensor)))
        return found

    def value(self, tensor: str) -> np.ndarray[Any, Any] | None:
        """A constant tensor's value; None for one that is computed."""
        producer = self._graph.get_node_by_output(tensor)
        return np.asarray(producer.get_tensor_value(as_list=False)) if producer and producer.is_const() else None

    def producer(self, tensor: str) -> TfNode | None:
        """The operator that gives a tensor: ONNX's, if it has been translated already. None for the model's inputs."""
        producer = self._graph.get_node_by_output(tensor)
        return None if producer is None else TfNode(self._graph, producer)

    def readers(self, tensor: str) -> list[tuple[str, int]]:
        """Operators that read a tensor, loops' bodies left out, each with the place of the input that it is."""
        readers = [n for n in self._graph.find_output_consumers(tensor) if n.graph is self._graph]
        return [(n.type, k) for n in readers for k, name in enumerate(n.input) if name == tensor]


class Builder:
    """Makes ONNX nodes: ``g.Mul(a, b)``, ``g.Conv(x, w, group=4)``; a call gives the name of the first output.

    An optional input that is left out is ``""``; ``outputs=n`` makes n outputs and gives a list of their names.
    """

    def __init__(self, graph: Any, name: str) -> None:
        self._graph, self._name = graph, name

    def __getattr__(self, operator: str) -> Callable[..., Any]:
        if not operator[0].isupper():
            raise AttributeError(operator)
        return lambda *inputs, **given: self.op(operator, inputs, **given)

    def op(self, operator: str, inputs: Sequence[str], *, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """An ONNX node; the name of its output, or a list of names for ``outputs > 1``."""
        from tf2onnx import utils

        node = self._graph.make_node(
            operator,
            list(inputs),
            attr=attributes,
            output_count=outputs,
            name=utils.make_name(self._name),
            domain=domain or "",
            skip_conversion=True,
        )
        return node.output[0] if outputs == 1 else list(node.output)

    def constant(self, value: Any, *, like: str | None = None) -> str:
        """A constant tensor; ``like``: of that tensor's dtype; else int64 for whole numbers and float32 for others."""
        from tf2onnx import utils

        array = np.asarray(value)
        if like is not None:
            array = array.astype(utils.map_onnx_to_numpy_type(self._graph.get_dtype(like)))
        elif array.dtype == np.float64:
            array = array.astype(np.float32)
        return str(self._graph.make_const(utils.make_name(self._name), array).output[0])


def handler(translate: Callable[..., Any]) -> tuple[Callable[..., Any], list[Any]]:
    """A translation as tf2onnx's ``custom_op_handlers`` want it."""

    def handle(graph: Any, node: Any, _name: str, _args: Any) -> None:
        seen, outputs = TfNode(graph, node), list(node.output)
        shapes = [graph.get_shape(o) for o in outputs]
        dtypes = [graph.get_dtype(o) for o in outputs]
        made = translate(Builder(graph, node.name), seen)
        results = [made] if isinstance(made, str) else made
        if not isinstance(results, list | tuple) or not all(isinstance(r, str) for r in results):
            raise TypeError(f"it gives {made!r}, and not the name of a tensor that the builder made, or a list of them")
        if len(results) != len(outputs):
            raise ValueError(f"it gives {len(results)} tensors for the operator's {len(outputs)} outputs")
        graph.remove_node(node.name)
        for k, output in enumerate(results):
            # tf2onnx's shapes are by name, and the readers of the outputs have theirs already
            graph.make_node(
                "Identity", [output], outputs=[outputs[k]], shapes=[shapes[k]], dtypes=[dtypes[k]], skip_conversion=True
            )

    handle.translation = translate  # type: ignore[attr-defined]  # for messages that name it
    return handle, []
