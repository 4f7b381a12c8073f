"""Steps of an optimizer: Adagrad, Adam and Momentum of ONNX's preview of training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import helper

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Result, case, rule

#: From the learning rate, the count of steps, and one parameter's tensors to its new ones.
_Step = Callable[[Tensor, Tensor, list[Tensor]], list[Tensor]]


@rule("ai.onnx.preview.training.Adagrad", cases=[
    case("(float r, float[3] x, float[3] g, float[3] h) => (float[3] y, float[3] k) <int64 t = {2}> { a = Abs(h)"
         " y, k = ai.onnx.preview.training.Adagrad<decay_factor=0.1, epsilon=0.01, norm_coefficient=0.001>"
         "(r, t, x, g, a) }", rtol=1e-4, atol=1e-4),
    case("(float[3] x, float[2] z, float[3] g, float[2] f, float[3] h, int64 t) =>"
         " (float[3] y, float[2] w, float[3] k, float[2] l) <float r = {0.1}, float[2] b = {1, 2}> { a = Abs(h)"
         " y, w, k, l = ai.onnx.preview.training.Adagrad(r, t, x, z, g, f, a, b) }", rtol=1e-4, atol=1e-4),
])  # fmt: skip
def adagrad_to_arithmetic(op: Op, node: NodeView) -> Result:
    """h' = h + g'^2, x' = x - r / (1 + decay t) g' / (sqrt h' + eps), g' = g + norm x"""
    norm, decay, epsilon = node.attr("norm_coefficient", 0.0), node.attr("decay_factor", 0.0), _epsilon(node)

    def step(rate: Tensor, count: Tensor, given: list[Tensor]) -> list[Tensor]:
        x, gradient, squares = given
        slope = op.Add(gradient, op.Mul(x, norm))
        summed = op.Add(squares, op.Mul(slope, slope))
        adjusted = op.Div(rate, op.Add(op.Mul(count, decay), 1.0))
        return [op.Sub(x, op.Div(op.Mul(slope, adjusted), op.Add(op.Sqrt(summed), epsilon))), summed]

    return _stepped(op, node, 3, step)


@rule("ai.onnx.preview.training.Adam", cases=[
    case("(float r, float[3] x, float[3] g, float[3] v, float[3] h) => (float[3] y, float[3] u, float[3] k)"
         " <int64 t = {0}> { a = Abs(h) y, u, k = ai.onnx.preview.training.Adam<alpha=0.95, beta=0.1, epsilon=0.01,"
         " norm_coefficient=0.001>(r, t, x, g, v, a) }", rtol=1e-4, atol=1e-4),
    case("(float r, int64 t, float[2] x, float[3] z, float[2] g, float[3] f, float[2] v, float[3] h) =>"
         " (float[2] y, float[3] w, float[2] u, float[3] j, float[2] k, float[3] l) { a = Abs(h) b = Abs(g)"
         " y, w, u, j, k, l = ai.onnx.preview.training.Adam<epsilon=0.01, norm_coefficient_post=0.01>"
         "(r, t, x, z, g, f, v, z, b, a) }", rtol=1e-4, atol=1e-4),
])  # fmt: skip
def adam_to_arithmetic(op: Op, node: NodeView) -> Result:
    """v' = a v + (1 - a) g', h' = b h + (1 - b) g'^2, x' = x - r sqrt(1 - b^t) / (1 - a^t) v' / (sqrt h' + eps)

    The factor is r alone at t = 0, and x' is scaled by 1 - norm_coefficient_post.
    """
    norm, after, epsilon = node.attr("norm_coefficient", 0.0), node.attr("norm_coefficient_post", 0.0), _epsilon(node)
    alpha, beta = node.attr("alpha", float(np.float32(0.9))), node.attr("beta", float(np.float32(0.999)))

    def step(rate: Tensor, count: Tensor, given: list[Tensor]) -> list[Tensor]:
        x, gradient, moment, squares = given
        dtype = op.dtype(x)
        slope = op.Add(gradient, op.Mul(x, norm))
        first = op.Add(op.Mul(moment, alpha), op.Mul(slope, 1 - alpha))
        second = op.Add(op.Mul(squares, beta), op.Mul(op.Mul(slope, slope), 1 - beta))
        # a count of 1 in place of 0: that factor is not taken
        held, one = op.Max(count, 1.0), op.const(1, dtype)
        growth = [op.Sub(one, op.Pow(op.const(base, dtype), held)) for base in (beta, alpha)]
        corrected = op.Div(op.Mul(rate, op.Sqrt(growth[0])), growth[1])
        adjusted = op.Where(op.Greater(count, 0.0), corrected, rate)
        moved = op.Sub(x, op.Mul(op.Div(first, op.Add(op.Sqrt(second), epsilon)), adjusted))
        return [op.Mul(moved, 1 - after) if after else moved, first, second]

    return _stepped(op, node, 4, step)


@rule("ai.onnx.preview.training.Momentum", cases=[
    case("(float r, float[3] x, float[3] g, float[3] v) => (float[3] y, float[3] u) <int64 t = {0}>"
         ' { y, u = ai.onnx.preview.training.Momentum<alpha=0.95, beta=0.1, norm_coefficient=0.001, mode="standard">'
         "(r, t, x, g, v) }", rtol=1e-4, atol=1e-4),
    case("(float r, int64 t, float[3] x, float[3] g, float[3] v) => (float[3] y, float[3] u)"
         ' { y, u = ai.onnx.preview.training.Momentum<alpha=0.95, beta=0.1, norm_coefficient=0.01, mode="nesterov">'
         "(r, t, x, g, v) }", rtol=1e-4, atol=1e-4),
])  # fmt: skip
def momentum_to_arithmetic(op: Op, node: NodeView) -> Result:
    """v' = a v + b g', x' = x - r v', or x - r (g' + a v') after Nesterov; g' = g + norm x, b is 1 at t = 0"""
    norm, alpha, beta = node.attr("norm_coefficient"), node.attr("alpha"), node.attr("beta")

    def step(rate: Tensor, count: Tensor, given: list[Tensor]) -> list[Tensor]:
        x, gradient, moment = given
        dtype = op.dtype(x)
        slope = op.Add(gradient, op.Mul(x, norm))
        share = op.Where(op.Greater(count, 0.0), op.const(beta, dtype), op.const(1, dtype))
        moved = op.Add(op.Mul(moment, alpha), op.Mul(slope, share))
        way = moved if node.attr("mode") == "standard" else op.Add(slope, op.Mul(moved, alpha))
        return [op.Sub(x, op.Mul(way, rate)), moved]

    return _stepped(op, node, 3, step)


def _epsilon(node: NodeView) -> float:
    return float(node.attr("epsilon", float(np.float32(1e-6))))


def _stepped(op: Op, node: NodeView, each: int, step: _Step) -> list[Tensor]:
    """Every parameter a step on. The operators list parameters first, then gradients, then what they keep of each."""
    rate, count, *tensors = node.inputs
    kind = helper.np_dtype_to_tensor_dtype(op.dtype(tensors[0]))
    parameters = len(tensors) // each
    steps = op.Cast(count, to=kind)
    made = [step(rate, steps, tensors[i::parameters]) for i in range(parameters)]
    return [new[k] for k in range(each - 1) for new in made]
