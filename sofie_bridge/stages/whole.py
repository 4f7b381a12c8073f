"""A model that is run in stages, with its tensors by name."""

from __future__ import annotations

import onnx
from onnx import helper

from convert.custom import Tensor
from rewrite.declared import tensor_of


class Whole:
    """Looked up once for all stages.

    :ivar infos: of every tensor whose shape is inferred, by name. :ivar constants: initializers likewise.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self.model = model
        self.infos = {i.name: i for i in (*graph.value_info, *graph.output, *graph.input)}
        self.constants = {i.name: i for i in graph.initializer}

    def inputs(self, node: onnx.NodeProto) -> list[Tensor | None]:
        """The node's inputs as its kernel sees them; None for those left out."""
        return [self._tensor(n) if n else None for n in node.input]

    def outputs(self, node: onnx.NodeProto) -> list[Tensor | None]:
        """The node's outputs as ONNX's inference knows them."""
        return [self._tensor(n) if n else None for n in node.output]

    def _tensor(self, name: str) -> Tensor:
        constant = self.constants.get(name)
        if name in self.infos:
            return tensor_of(self.infos[name].type, constant)
        assert constant is not None  # all else has a shape
        return tensor_of(helper.make_tensor_type_proto(constant.data_type, constant.dims), constant)
