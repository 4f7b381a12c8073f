"""Random graphs full of transposes, Reshapes and what is between: the numbers stay, and transposes become fewer."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import onnx
import pytest
from improved import counts
from onnx import helper, numpy_helper
from small_models import arrays_for, assert_same_numbers

from rewrite.api import prepare
from rewrite.passes.hand_over_channels_first import hand_over_channels_first
from rewrite.passes.improve import improve
from rewrite.witness import Watch
from sofie_bridge.reference import OnnxReference

#: A tensor: its name, and its sizes behind the batch's.
Made = tuple[str, list[int]]
BATCH = 2


class Graph:
    """Grows by a random operator on one of the tensors that are there."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.held: list[onnx.TensorProto] = []
        self.image: Made = ("x", [int(d) for d in self.random.integers(1, 4, 3)])
        self.pool: list[Made] = [self.image]
        steps: list[Callable[[Made], Made | None]] = [
            *[self.transpose] * 3, self.unary, self.scale, self.join, self.reshape, self.unsqueeze, self.squeeze,
            self.concat, self.softmax, self.mean, self.dense, self.flatten, self.unflatten,
        ]  # fmt: skip
        last = self.image
        for _ in range(self.below(10) + 4):
            start = self.choice(self.pool) if self.below(4) == 0 else last
            last = self.choice(steps)(start) or last
            self.pool.append(last)
        self.outputs = {n: s for n, s in (last, self.choice(self.pool)) if n != "x"}

    def below(self, end: int) -> int:
        return int(self.random.integers(end))

    def choice(self, among: list[Any]) -> Any:
        return among[self.below(len(among))]

    def constant(self, array: np.ndarray[Any, Any]) -> str:
        self.held.append(numpy_helper.from_array(array, f"c{len(self.held)}"))
        return self.held[-1].name

    def noise(self, *shape: int) -> str:
        return self.constant(self.random.standard_normal(shape).astype(np.float32))

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def add(self, op: str, *inputs: str, **attrs: Any) -> str:
        self.nodes.append(helper.make_node(op, list(inputs), [f"t{len(self.nodes)}"], **attrs))
        return str(self.nodes[-1].output[0])

    def shaped(self, name: str, sizes: list[int]) -> Made:
        return self.add("Reshape", name, self.ints(-1, *sizes)), sizes

    # ---------------------------------------------------------------------------------------------------- operators

    def transpose(self, x: Made) -> Made:
        name, sizes = x
        order = [int(k) for k in self.random.permutation(len(sizes))]
        if len(sizes) == 3 and self.below(2):
            order = self.choice([[2, 0, 1], [1, 2, 0]])
        return self.add("Transpose", name, perm=[0, *(k + 1 for k in order)]), [sizes[k] for k in order]

    def unary(self, x: Made) -> Made:
        return self.add(self.choice(["Relu", "Sigmoid", "Tanh", "Neg"]), x[0]), x[1]

    def scale(self, x: Made) -> Made:
        """By a constant of any rank, in either place."""
        sizes = [self.choice([1, d]) for d in x[1]][self.below(len(x[1])) :]
        inputs = [x[0], self.noise(*sizes)]
        return self.add(self.choice(["Mul", "Add", "Sub"]), *inputs[:: self.choice([1, -1])]), x[1]

    def join(self, x: Made) -> Made:
        other = self.choice([p for p in self.pool if p[1] == x[1]] or [x])
        return self.add(self.choice(["Mul", "Add"]), x[0], other[0]), x[1]

    def reshape(self, x: Made) -> Made | None:
        name, sizes = x
        k = self.below(len(sizes))
        if self.below(2) and k + 1 < len(sizes):
            return self.shaped(name, [*sizes[:k], sizes[k] * sizes[k + 1], *sizes[k + 2 :]])
        part = self.choice([d for d in range(1, sizes[k] + 1) if sizes[k] % d == 0])
        return self.shaped(name, [*sizes[:k], part, sizes[k] // part, *sizes[k + 1 :]]) if len(sizes) < 4 else None

    def unsqueeze(self, x: Made) -> Made | None:
        name, sizes = x
        k = self.below(len(sizes) + 1)
        made = [*sizes[:k], 1, *sizes[k:]]
        return (self.add("Unsqueeze", name, self.ints(k + 1)), made) if len(made) < 5 else None

    def squeeze(self, x: Made) -> Made | None:
        name, sizes = x
        ones = [k for k, d in enumerate(sizes) if d == 1]
        if not ones or len(sizes) == 1:
            return None
        k = self.choice(ones)
        return self.add("Squeeze", name, self.ints(k + 1)), [*sizes[:k], *sizes[k + 1 :]]

    def concat(self, x: Made) -> Made | None:
        name, sizes = x
        k = self.below(len(sizes))
        fits = [p for p in self.pool if [*p[1][:k], *p[1][k + 1 :]] == [*sizes[:k], *sizes[k + 1 :]]]
        other = self.choice([p for p in fits if len(p[1]) == len(sizes)] or [x])
        made = [*sizes[:k], sizes[k] + other[1][k], *sizes[k + 1 :]]
        return (self.add("Concat", name, other[0], axis=k + 1), made) if prod(made) < 500 else None

    def softmax(self, x: Made) -> Made:
        return self.add("Softmax", x[0], axis=self.below(len(x[1])) + 1), x[1]

    def mean(self, x: Made) -> Made | None:
        name, sizes = x
        k, keep = self.below(len(sizes)), self.below(2)
        if not keep and len(sizes) == 1:
            return None
        made = [*sizes[:k], *[1] * keep, *sizes[k + 1 :]]
        return self.add("ReduceMean", name, self.ints(k + 1), keepdims=keep), made

    def dense(self, x: Made) -> Made:
        """On the last axis: as one product, or of rows."""
        name, sizes = x
        made, weight = [*sizes[:-1], self.below(4) + 1], sizes[-1]
        if self.below(2):
            return self.add("MatMul", name, self.noise(weight, made[-1])), made
        rows, _ = self.shaped(name, [weight])
        return self.shaped(self.add("MatMul", rows, self.noise(weight, made[-1])), made)

    def flatten(self, x: Made) -> Made:
        count = prod(x[1])
        rows = self.shaped(x[0], [count])
        self.pool.append(rows)
        return (self.add("Gemm", rows[0], self.noise(count, 6), self.noise(6)), [6]) if self.below(2) else rows

    def unflatten(self, x: Made) -> Made | None:
        if len(x[1]) != 1:
            return None
        first = self.choice([d for d in range(1, x[1][0] + 1) if x[1][0] % d == 0])
        second = self.choice([d for d in range(1, x[1][0] // first + 1) if x[1][0] // first % d == 0])
        return self.shaped(x[0], [first, second, x[1][0] // first // second])

    def model(self, batch: int | str) -> onnx.ModelProto:
        x = helper.make_tensor_value_info("x", 1, [batch, *self.image[1]])
        outputs = [helper.make_tensor_value_info(n, 1, [batch, *s]) for n, s in self.outputs.items()]
        graph = helper.make_graph(self.nodes, "random", [x], outputs, self.held)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@pytest.mark.parametrize("batch", ["N", BATCH])
def test_random_graphs(batch: int | str) -> None:
    before = after = 0
    for seed in range(40):
        made = Graph(seed)
        if not made.outputs:
            continue
        model = made.model(batch)
        arrays = arrays_for(model, seed, size=BATCH)
        graph = prepare(model)
        improve(graph, lambda _: True, Watch())
        graph.drop_dead()
        improved = graph.write()
        assert_same_numbers(model, improved, arrays, rtol=1e-4, atol=1e-4)
        before, after = before + counts(model)["Transpose"], after + counts(improved)["Transpose"]
        layout = hand_over_channels_first(graph)
        moved = {n: a.transpose(layout.perms.get(n, range(a.ndim))) for n, a in arrays.items()}
        given = OnnxReference(graph.write())(moved)
        for name, wanted in OnnxReference(model)(arrays).items():
            perm = layout.perms.get(name, range(wanted.ndim))
            np.testing.assert_allclose(
                given[name], wanted.transpose(perm), rtol=1e-4, atol=1e-4, err_msg=f"seed {seed}"
            )
    assert after < before / 3
