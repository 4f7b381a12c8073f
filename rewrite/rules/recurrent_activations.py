"""The activation functions that LSTM, GRU and RNN name, as operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Refusal, refuse

_DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}

_Build = Callable[[Op, Tensor, float, float], Tensor]

#: Per name in small letters: the alpha and beta that it has by default (None: it takes none), and how it is built.
_KNOWN: dict[str, tuple[float | None, float | None, _Build]] = {
    "sigmoid": (None, None, lambda op, x, _a, _b: op.Sigmoid(x)),
    "tanh": (None, None, lambda op, x, _a, _b: op.Tanh(x)),
    "relu": (None, None, lambda op, x, _a, _b: op.Relu(x)),
    "softsign": (None, None, lambda op, x, _a, _b: op.Softsign(x)),
    "softplus": (None, None, lambda op, x, _a, _b: op.Softplus(x)),
    "affine": (1.0, 0.0, lambda op, x, a, b: op.Add(op.Mul(x, a), b)),
    "leakyrelu": (0.01, None, lambda op, x, a, _b: op.LeakyRelu(x, alpha=a)),
    "thresholdedrelu": (1.0, None, lambda op, x, a, _b: op.ThresholdedRelu(x, alpha=a)),
    "scaledtanh": (1.0, 1.0, lambda op, x, a, b: op.Mul(op.Tanh(op.Mul(x, b)), a)),
    "hardsigmoid": (0.2, 0.5, lambda op, x, a, b: op.HardSigmoid(x, alpha=a, beta=b)),
    "elu": (1.0, None, lambda op, x, a, _b: op.Elu(x, alpha=a)),
}


@dataclass(frozen=True)
class Activation:
    """One activation with its parameters."""

    name: str
    alpha: float
    beta: float

    def __call__(self, op: Op, x: Tensor) -> Tensor:
        return _KNOWN[self.name][2](op, x, self.alpha, self.beta)

    @property
    def saturates(self) -> bool:
        """Does float32 see no difference beyond |x| = 40?"""
        return self.name in ("sigmoid", "tanh")


def activations_of(node: NodeView) -> list[Activation] | Refusal:
    """The activations of a node of one direction. Lists of alpha and beta hold values for those alone that take one."""
    names = [a.lower() for a in node.attr("activations") or _DEFAULTS[node.op]]
    unknown = [n for n in names if n not in _KNOWN]
    if unknown:
        return refuse(f"ONNX has no activation {unknown[0]!r}")
    alphas, betas = list(node.attr("activation_alpha") or ()), list(node.attr("activation_beta") or ())
    made = []
    for name in names:
        alpha, beta, _ = _KNOWN[name]
        taken = [
            0.0 if default is None else float(given.pop(0)) if given else default
            for default, given in ((alpha, alphas), (beta, betas))
        ]
        made.append(Activation(name, *taken))
    return made
