"""Operators that no expression in other operators reaches, or none that would be right: why, and what to do instead.

Both the error about such a node and the table of ``python -m convert --operators`` say what stands here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import onnx

from rewrite.graph import OPSET, Node, Tensor, value
from rewrite.shape_arithmetic import reads_sizes

#: Version of ONNX's own domain for classical machine learning.
ML_OPSET = 5
ML = "ai.onnx.ml"


@dataclass(frozen=True)
class Unsupported:
    """Why an operator is refused.

    :param why: a sentence's end, after "it is refused: ".
    :param advice: what to do next.
    :param always: whatever a target or a rule would make of it.
    """

    why: str
    advice: str
    always: bool = False


_DRAWN = Unsupported(
    "random: the header would not give the model's numbers, nor the same ones twice",
    "draw outside the model and make the numbers an input of it",
    always=True,
)
_TRAINING = Unsupported(
    "in training mode it is random: the header would not give the model's numbers",
    "export the model for inference (model.eval() in PyTorch)",
    always=True,
)
_COUNTED = Unsupported(
    "the shape of its result depends on the values",
    "leave selecting to the code around the header, or keep all elements and multiply by a mask",
)
_SIZED = Unsupported(
    "it has as many elements as a value says that is known only at run time, and a header has the shapes of all"
    " tensors before it runs",
    "make its inputs constants of the model, or compute them from shapes: it is computed before the model runs then",
)
_CONTROL = Unsupported(
    "what is run is decided while the model runs",
    "export with the number of steps, or the condition, as a constant",
)
_TEXT = Unsupported("text: a header has tensors of numbers only", "turn text into numbers before the model")
_CONTAINER = Unsupported(
    "a header has tensors only: no sequences, no optional values",
    "export with the number of parts fixed, so that each is a tensor of its own",
)
_TREES = Unsupported(
    "decision trees are no tensor arithmetic",
    "convert trees with conifer (https://github.com/thesps/conifer) or ROOT's RBDT, which are made for them",
)
_PICTURE = Unsupported("it decodes files of pictures", "decode before the model")

_CUSTOM = Unsupported(
    "it is no operator of ONNX's",
    "declare it, with C++ of your own, and give the declaration with --custom-operators (docs/custom-operators.md)",
)

_BY_NAME = {
    **dict.fromkeys(
        ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"), _DRAWN
    ),
    "Dropout": _TRAINING,
    **dict.fromkeys(("NonZero", "NonMaxSuppression", "Unique", "Compress"), _COUNTED),
    "MelWeightMatrix": _SIZED,
    **dict.fromkeys(("If", "Loop", "Scan"), _CONTROL),
    "ImageDecoder": _PICTURE,
}


def unsupported(operator: str, domain: str = "") -> Unsupported | None:
    """Why there is no way for an operator; None where nothing stands against one."""
    if domain == ML:
        return _TREES if operator.startswith("TreeEnsemble") else _of_types(operator, domain, ML_OPSET)
    if domain:
        return None if domain.startswith("ai.onnx") else _CUSTOM
    return _BY_NAME.get(operator) or _of_types(operator, domain, OPSET)


def unsupported_node(node: Node) -> Unsupported | None:
    """The same for a node, whose inputs may say more.

    Dropout at inference, or of nothing, is not random; a Range up to a value has as many elements as that says.
    """
    if node.op == "Dropout" and not node.domain and not _drops(node):
        return None
    if node.op == "Range" and not node.domain and not reads_sizes(node):
        return replace(_SIZED, always=True)
    return unsupported(node.op, node.domain or "")


def _drops(node: Node) -> bool:
    ratio, training = (node.inputs[k] if k < len(node.inputs) and node.inputs[k].name else None for k in (1, 2))
    return training is not None and not _is_zero(training) and not _is_zero(ratio)


def _is_zero(tensor: Tensor | None) -> bool:
    held = value(tensor)
    return held is not None and not np.any(held)


@cache
def _of_types(operator: str, domain: str, opset: int) -> Unsupported | None:
    """Operators one of whose operands can only be text, a sequence or an optional value, by their schemas."""
    if not onnx.defs.has(operator, opset, domain):
        return None
    schema = onnx.defs.get_schema(operator, opset, domain)
    for operand in (*schema.inputs, *schema.outputs):
        if all(t.startswith(("seq(", "optional(", "map(")) for t in operand.types):
            return _CONTAINER
        if all(t == "tensor(string)" for t in operand.types):
            return _TEXT
    return None
