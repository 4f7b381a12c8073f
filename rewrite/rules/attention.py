"""Attention in all its forms: heads in an axis or folded, grouped queries, past keys, masks, windows, soft cap."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import sqrt

import numpy as np

from rewrite.graph import Array, Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule

_QKV = "float[1,2,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v"


@rule("Attention", cases=[
    case("(float[2,2,3,4] q, float[2,2,5,4] k, float[2,2,5,6] v) => (float[2,2,3,6] y) { y = Attention(q, k, v) }",
         atol=0.1),
    case("(float[2,3,4] q, float[2,3,4] k, float[2,3,4] v) => (float[2,3,8] y)"
         " { y = Attention<q_num_heads=4, kv_num_heads=2>(q, k, v) }", refuses="do not share"),
    case("(float[N,3,8] q, float[N,3,4] k, float[N,3,6] v) => (float[N,3,12] y)"
         " { y = Attention<q_num_heads=4, kv_num_heads=2, is_causal=1, softcap=2.0, scale=0.3>(q, k, v) }",
         atol=0.1, rtol=1e-2),
    case(f"({_QKV}, bool[3,5] m) => (float[1,2,3,4] y) {{ y = Attention(q, k, v, m) }}", atol=0.1),
    case(f"({_QKV}, float[1,1,3,5] m) => (float[1,2,3,4] y, float[1,2,3,5] s)"
         " { y, , , s = Attention<qk_matmul_output_mode=3>(q, k, v, m) }", atol=0.1),
    case(f"({_QKV}, float[1,2,4,4] a, float[1,2,4,4] b) => (float[1,2,3,4] y, float[1,2,9,4] c, float[1,2,9,4] d)"
         " { y, c, d = Attention<is_causal=1>(q, k, v, , a, b) }", atol=0.1),
    case("(float[1,3,N,4] q, float[1,3,N,4] k, float[1,3,N,4] v) => (float[1,3,N,4] y) { y = Attention(q, k, v) }",
         atol=0.1),
    case("(float[2,N,8] q, float[2,N,4] k, float[2,N,4] v) => (float[2,N,8] y)"
         " { y = Attention<q_num_heads=4, kv_num_heads=2>(q, k, v) }", atol=0.1),
    case(f"({_QKV}) => (float[1,2,3,4] y) <int64[1] n={{4}}>"
         " { y = Attention<is_causal=1, left_window_size=1>(q, k, v, , , , n) }", atol=0.1),
    case("(float[2,1,3,4] q, float[2,1,5,4] k, float[2,1,5,4] v, int64[2] n) => (float[2,1,3,4] y)"
         " { y = Attention(q, k, v, , , , n) }", atol=0.1),
    case("(float[1,3,N,4] q, float[1,3,N,4] k, float[1,3,N,4] v) => (float[1,3,N,4] y)"
         " { y = Attention<is_causal=1>(q, k, v) }", refuses="lengths of the sequences are not fixed"),
])  # fmt: skip
def attention_to_softmax(op: Op, node: NodeView) -> Result:
    """Attention(q, k, v) = softmax(cap(scale q k') + bias) v, head by head"""
    made = _Attention.of(op, node)
    if isinstance(made, Refusal):
        return made
    key, value = made.joined(node.inputs[1], 4), made.joined(node.inputs[2], 5)
    bias = made.bias(key)
    if isinstance(bias, Refusal):
        return bias
    scale = node.attr("scale") or 1 / sqrt(made.size)
    keys = op.Transpose(key, perm=[0, 1, 3, 2])
    softcap = node.attr("softcap", 0.0)
    if bias is None or softcap:
        raw = made.product(op.Mul(made.query, scale), keys)
    else:  # the sum with the bias does not follow at once on a product of stacked matrices, for which BLAS has no form
        raw = op.Mul(made.product(made.query, keys), scale)
    capped = op.Mul(op.Tanh(op.Mul(raw, 1 / softcap)), softcap) if softcap else raw
    scores = capped if bias is None else op.Add(capped, bias)
    weights = op.Softmax(scores, axis=-1)
    if bias is not None and not _open(op.value(bias)):
        seen = op.ReduceMax(op.Cast(op.Greater(bias, float("-inf")), to=1), op.ints(-1), keepdims=1)
        weights = op.Where(op.Greater(seen, 0.0), weights, op.const(0, op.dtype(weights)))  # a query that sees no key
    y = made.product(weights, value)
    if made.folded:
        y = made.reshaped(op.Transpose(y, perm=[0, 2, 1, 3]), (*made.outer, made.heads * _size(op, value, 3)))
    shown = (raw, capped, scores, weights)[node.attr("qk_matmul_output_mode", 0)]
    return [y, key, value, shown][: len(node.outputs)]


@dataclass(frozen=True)
class _Attention:
    """The node with its heads in an axis of their own: query [batch, heads, length, size]."""

    op: Op
    node: NodeView
    query: Tensor
    heads: int
    groups: int
    size: int
    folded: bool
    outer: tuple[int | str, int | str]

    @classmethod
    def of(cls, op: Op, node: NodeView) -> _Attention | Refusal:
        shapes = [op.shape(t) for t in node.inputs[:3] if t is not None]
        if not all(s is not None and isinstance(s[-1], int) for s in shapes) or op.dtype(node.x).kind != "f":
            return refuse("the rank or the width of an input is not known")
        query, keys, _ = (s for s in shapes if s is not None)
        folded = len(query) == 3
        heads = node.attr("q_num_heads") if folded else query[1]
        groups = node.attr("kv_num_heads") if folded else keys[1]
        if not isinstance(heads, int) or not isinstance(groups, int):
            return refuse("the number of heads is not fixed")
        size = int(query[-1]) // (heads if folded else 1)
        if size * (groups if folded else 1) != keys[-1] or heads % groups:
            return refuse("queries and keys do not share a head size, or their heads do not divide")
        outer = (query[0], query[1] if folded else query[2])
        made = cls(op, node, node.x, heads, groups, size, folded, outer)
        return cls(op, node, made.split(node.x, heads), heads, groups, size, folded, outer)

    def split(self, x: Tensor, heads: int) -> Tensor:
        """[batch, length, heads size] as [batch, heads, length, size]"""
        shape = self.op.shape(x)
        if not self.folded or shape is None:
            return x
        apart = self.reshaped(x, (shape[0], shape[1], heads, int(shape[2]) // heads))
        return self.op.Transpose(apart, perm=[0, 2, 1, 3])

    def joined(self, x: Tensor | None, past: int) -> Tensor:
        """Keys or values with those of the past in front."""
        assert x is not None
        before = self.node.input(past)
        new = self.split(x, self.groups)
        return new if before is None else self.op.Concat(before, new, axis=2)

    def product(self, left: Tensor, right: Tensor) -> Tensor:
        """left[head] right[group of the head]: the heads of a group share one product."""
        op = self.op
        if self.heads == self.groups:
            return op.MatMul(left, right)
        batch, _, length, inner = op.shape(left) or ()
        outer = op.shape(right) or ()
        share = self.heads // self.groups
        if not all(isinstance(d, int) for d in (length, inner, outer[3])):
            repeated = op.const(np.repeat(np.arange(self.groups), share), np.int64)
            return op.MatMul(left, op.Gather(right, repeated, axis=1))
        y = op.MatMul(self.reshaped(left, (batch, self.groups, share * int(length), inner)), right)
        return self.reshaped(y, (batch, self.heads, length, outer[3]))

    def reshaped(self, x: Tensor, shape: tuple[int | str, ...]) -> Tensor:
        """``x`` in another shape: one open size is left to ONNX to work out, several keep their places."""
        stand_in = -1 if sum(not isinstance(d, int) for d in shape) == 1 else 0
        return self.op.Reshape(x, self.op.ints(*(d if isinstance(d, int) else stand_in for d in shape)))

    def bias(self, key: Tensor) -> Tensor | Refusal | None:
        """What is added to the scores, of a shape that broadcasts to theirs: 0 and -inf, or a mask of floats."""
        op, node = self.op, self.node
        total, length, past = _size(op, key, 2), self.outer[1], node.input(4)
        before = 0 if past is None else _size(op, past, 2)
        lengths = node.input(6)
        left, right = node.attr("left_window_size", -1), node.attr("right_window_size", -1)
        right = 0 if node.attr("is_causal") else right
        parts: list[Tensor] = []
        if left >= 0 or right >= 0 or lengths is not None:
            if not (isinstance(total, int) and isinstance(length, int) and isinstance(before, int)):
                return refuse("the lengths of the sequences are not fixed, and the mask hangs on them")
            if lengths is None:
                ahead = np.arange(total)[None, :] - np.arange(length)[:, None]
                known = ((ahead - before >= -left) | (left < 0)) & ((ahead - before <= right) | (right < 0))
                parts.append(self.closing(op.const(known)))
            else:
                parts += self.beyond(lengths, total, length, left, right)
        mask = node.input(3)
        if mask is not None:
            bias = self.closing(mask) if op.dtype(mask) == np.bool_ else mask
            missing = _missing(total, _size(op, mask, -1))
            if missing is None:
                return refuse("it is not known whether the mask is as long as the keys")
            if missing:
                bias = op.Pad(bias, op.ints(0, missing), op.const(-np.inf, op.dtype(bias)), op.ints(-1))
            parts.append(bias)
        return reduce(op.Add, parts) if parts else None

    def closing(self, allowed: Tensor) -> Tensor:
        """0 where ``allowed``, else -inf."""
        op, dtype, known = self.op, self.op.dtype(self.node.x), self.op.value(allowed)
        if known is not None:
            return op.const(np.where(known, 0, -np.inf), dtype)
        return op.Where(allowed, op.const(0, dtype), op.const(-np.inf, dtype))

    def beyond(self, lengths: Tensor, total: int, length: int, left: int, right: int) -> list[Tensor]:
        """Masks of a cache of which each sample of the batch fills ``lengths``; its last entries are the queries'."""
        op = self.op
        filled = op.Reshape(op.Cast(lengths, to=1), op.ints(-1, 1, 1, 1))  # float32 holds any length
        parts = [self.closing(op.Greater(filled, op.const(np.arange(total), np.float32)))]
        # Key j is j - i - (filled - length) ahead of query i.
        ahead = np.arange(total)[None, :] - np.arange(length)[:, None] + length
        if right >= 0:
            parts.append(self.closing(op.GreaterOrEqual(filled, op.const(ahead - right, np.float32))))
        if left >= 0:
            parts.append(self.closing(op.LessOrEqual(filled, op.const(ahead + left, np.float32))))
        return parts


def _size(op: Op, tensor: Tensor, axis: int) -> int | str:
    shape = op.shape(tensor)
    return "unknown" if shape is None else shape[axis]


def _missing(total: int | str, given: int | str) -> int | None:
    """How many keys a mask leaves out at the end."""
    if given in (total, 1):
        return 0
    return total - given if isinstance(total, int) and isinstance(given, int) else None


def _open(bias: Array | None) -> bool:
    """Is it known that each query sees a key?"""
    return bias is not None and bool((bias.max(axis=-1) > -np.inf).all())
