"""Layers: weights that fit their input, windows that fit into it."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto
from recipes import recipe
from sketch import FLOATS, INTS, SIZES, Drawn, Sketch

FLOAT = TensorProto.FLOAT
PIXELS = (3, 4, 5, 2, 6)


def picture(s: Sketch, kinds: tuple[int, ...], ranks: tuple[int, ...] = (4, 3, 5)) -> Drawn:
    """Batch, channels, and one to three axes of space."""
    fit = [t for t in s.pool if t.kind in kinds and t.rank in ranks and min(t.shape) > 0]
    if fit and s.chance(85):
        return s.one(fit[::-1])
    rank = s.one(ranks)
    return s.new(s.kind(kinds), (s.one((1, 2)), s.one((1, 2, 3, 4)), *(s.one(PIXELS) for _ in range(rank - 2))))


def window(s: Sketch, x: Drawn, *, dilated: bool = True) -> dict[str, Any]:
    """kernel_shape, strides, pads, auto_pad, dilations; each may be left out where ONNX lets it be."""
    rank = x.rank - 2
    kernel = [s.integer(1, min(3, d + 1)) for d in x.shape[2:]]
    auto = s.one(("SAME_UPPER", "SAME_LOWER", "VALID")) if s.chance(25) else None
    return {
        "kernel_shape": kernel,
        "strides": s.ints(rank, 1, 3) if s.chance(50) else None,
        "dilations": s.ints(rank, 1, 2) if dilated and s.chance(30) else None,
        "auto_pad": auto,
        "pads": [s.integer(0, k - 1) for k in kernel * 2] if auto is None and s.chance(50) else None,
    }


@recipe("Conv", "ConvInteger")
def conv(s: Sketch, operator: str) -> None:
    integer = operator == "ConvInteger"
    x = picture(s, (TensorProto.UINT8, TensorProto.INT8) if integer else FLOATS)
    attributes = window(s, x)
    group = s.one([g for g in range(1, x.shape[1] + 1) if x.shape[1] % g == 0])
    maps = group * s.integer(1, 3)
    kind = s.one((TensorProto.UINT8, TensorProto.INT8)) if integer else x.kind
    w = s.new(kind, (maps, x.shape[1] // group, *attributes["kernel_shape"]), constants=80)
    if s.chance(30):
        attributes["kernel_shape"] = None
    if integer:
        points = [s.new(k, (), constants=80) if s.chance(50) else None for k in (x.kind, kind)]
        s.node(operator, [x, w, *points], group=group, **attributes)
    else:
        s.node(operator, [x, w, s.like(kind, (maps,)) if s.chance(50) else None], group=group, **attributes)


@recipe("ConvTranspose")
def conv_transpose(s: Sketch, operator: str) -> None:
    x = picture(s, FLOATS[:3])
    attributes = window(s, x)
    group = s.one([g for g in range(1, x.shape[1] + 1) if x.shape[1] % g == 0])
    maps = s.integer(1, 2)
    w = s.new(x.kind, (x.shape[1], maps, *attributes["kernel_shape"]), constants=80)
    strides = attributes["strides"] or [1] * (x.rank - 2)
    extra = [s.integer(0, t - 1) for t in strides] if s.chance(30) else None
    bias = s.like(x.kind, (maps * group,)) if s.chance(50) else None
    s.node(operator, [x, w, bias], group=group, output_padding=extra, **attributes)


@recipe("DeformConv")
def deform_conv(s: Sketch, operator: str) -> None:
    x = picture(s, FLOATS[:2], (4,))
    kernel = [s.integer(1, min(2, d)) for d in x.shape[2:]]
    out = [d - k + 1 for d, k in zip(x.shape[2:], kernel, strict=True)]
    w = s.new(x.kind, (s.integer(1, 2), x.shape[1], *kernel), constants=80)
    offset = s.like(x.kind, (x.shape[0], 2 * kernel[0] * kernel[1], *out))
    bias = s.like(x.kind, w.shape[:1]) if s.chance(50) else None
    mask = s.like(x.kind, (x.shape[0], kernel[0] * kernel[1], *out)) if s.chance(50) else None
    s.node(operator, [x, w, offset, bias, mask], kernel_shape=kernel, pads=[0, 0, 0, 0])


@recipe("AveragePool", "MaxPool", "LpPool")
def pool(s: Sketch, operator: str) -> None:
    extra = (TensorProto.INT8, TensorProto.UINT8) if operator == "MaxPool" else ()
    x = picture(s, (*FLOATS[:3], *extra))
    more: dict[str, Any] = {"ceil_mode": s.one((None, None, 1))}
    if operator == "AveragePool":
        more["count_include_pad"] = s.one((None, 1))
    if operator == "LpPool":
        more["p"] = s.one((None, 1, 2, 3))
    outputs = 2 if operator == "MaxPool" and s.chance(20) else 1
    s.node(operator, [x], outputs=outputs, **window(s, x), **more)


@recipe("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(s: Sketch, operator: str) -> None:
    p = s.one((None, 1, 2, 3)) if operator == "GlobalLpPool" else None
    s.node(operator, [picture(s, FLOATS[:3])], p=p)


@recipe("LRN")
def lrn(s: Sketch, operator: str) -> None:
    x = picture(s, (FLOAT,), (4,))  # onnxruntime has no other
    factors: dict[str, Any] = {n: s.one((None, 0.5, 2.0)) for n in ("alpha", "beta", "bias")}
    s.node(operator, [x], size=s.one((3, 1, 2, 5)), **factors)


@recipe("MaxUnpool")
def max_unpool(s: Sketch, operator: str) -> None:
    x = s.new(s.kind(FLOATS[:2]), (1, s.integer(1, 2), 2, 2))
    places = np.stack([np.array([0, 3, 8, 14], np.int64).reshape(1, 2, 2) + 16 * c for c in range(x.shape[1])], 1)
    s.node(operator, [x, s.constant(places)], kernel_shape=[2, 2], strides=[2, 2])


@recipe("BatchNormalization")
def batch_normalization(s: Sketch, operator: str) -> None:
    x = s.take(FLOATS, (4, 2, 3, 5), (2, 3, 1, 4, 5))
    scale, bias, mean = (s.new(x.kind, (x.shape[1],), constants=80) for _ in range(3))
    dtype = np.dtype({FLOATS[0]: "f4", FLOATS[1]: "f8", FLOATS[2]: "f2"}.get(x.kind, "f4"))
    variance = s.constant(np.linspace(0.5, 1.5, x.shape[1]).astype(dtype))
    s.node(operator, [x, scale, bias, mean, variance], epsilon=s.one((None, 0.1)), training_mode=s.one((None, None, 0)))


@recipe("MeanVarianceNormalization")
def mean_variance_normalization(s: Sketch, operator: str) -> None:
    x = s.take(FLOATS[:3], (4, 2, 3), (2, 3, 4, 5))
    s.node(operator, [x], axes=None if x.rank == 4 and s.chance(30) else s.axes(x.rank))


@recipe("InstanceNormalization")
def instance_normalization(s: Sketch, operator: str) -> None:
    x = picture(s, FLOATS[:3])
    s.node(operator, [x, *(s.like(x.kind, x.shape[1:2], constants=80) for _ in range(2))], epsilon=s.one((None, 0.1)))


@recipe("GroupNormalization")
def group_normalization(s: Sketch, operator: str) -> None:
    x = picture(s, FLOATS[:3])
    groups = s.one([g for g in range(1, x.shape[1] + 1) if x.shape[1] % g == 0])
    s.node(
        operator, [x, *(s.like(x.kind, x.shape[1:2], constants=80) for _ in range(2))], num_groups=groups, declared=x
    )


@recipe("LayerNormalization", "RMSNormalization")
def layer_normalization(s: Sketch, operator: str) -> None:
    # of doubles, ONNX wants the moments in float32 (stash_type), and onnxruntime takes double
    x = s.take((FLOATS[0], FLOATS[2]), (2, 3, 1, 4), (2, 3, 4, 5))
    axis = s.axis(x.rank)
    shape = x.shape[axis % x.rank :]
    scale = s.like(x.kind, shape, constants=80)
    rms = operator == "RMSNormalization"
    bias = s.like(x.kind, shape, constants=80) if not rms and s.chance(50) else None
    outputs = 1 if rms else s.one((1, 1, 3, 2))
    s.node(operator, [x, scale, bias], outputs=outputs, axis=axis, epsilon=s.one((None, 0.1)))


@recipe("MatMul")
def matmul(s: Sketch, operator: str) -> None:
    x = s.take((*FLOATS, *INTS[:2], *INTS[6:]), (2, 3, 1, 4), (2, 3, 1, 4, 5))
    depth = x.shape[-1]
    stack = [1 if s.chance(20) else d for d in x.shape[:-2]][s.integer(0, max(0, x.rank - 2)) :]
    other = (depth,) if s.chance(20) else (*stack, depth, s.one((2, 3, 1, 4)))
    s.node(operator, [x, s.like(x.kind, other)])


@recipe("Gemm")
def gemm(s: Sketch, operator: str) -> None:
    a = s.take((*FLOATS, *INTS[:2]), (2,), (2, 3, 1, 4, 5))
    trans_a, trans_b = s.flag(), s.flag()
    rows, depth = a.shape[::-1] if trans_a else a.shape
    columns = s.one((2, 3, 1, 4))
    b = s.like(a.kind, (columns, depth) if trans_b else (depth, columns), constants=70)
    c = (
        s.like(a.kind, s.one(((columns,), (1, columns), (rows, 1), (rows, columns), (1,), ())))
        if s.chance(70)
        else None
    )
    factors: dict[str, Any] = {
        n: s.one((None, 1.0, 0.5, 2.0, 0.0)) if a.kind in FLOATS else None for n in ("alpha", "beta")
    }
    s.node(operator, [a, b, c], transA=trans_a or None, transB=trans_b or None, **factors)


@recipe("MatMulInteger")
def matmul_integer(s: Sketch, operator: str) -> None:
    kinds = (TensorProto.UINT8, TensorProto.INT8)
    x = s.take(kinds, (2, 3), (2, 3, 1, 4))
    w = s.new(s.one(kinds), (x.shape[-1], s.integer(1, 3)), constants=60)
    points = [s.new(k, (), constants=80) if s.chance(50) else None for k in (x.kind, w.kind)]
    s.node(operator, [x, w, *points])


@recipe("QuantizeLinear", "DequantizeLinear")
def quantize(s: Sketch, operator: str) -> None:
    bytes_ = (TensorProto.UINT8, TensorProto.INT8)
    forward = operator == "QuantizeLinear"
    x = s.take((FLOAT,) if forward else bytes_, (2, 1, 3, 4), (2, 3, 1, 4))
    axis = s.axis(x.rank)
    shape = (x.shape[axis],) if s.chance(40) else ()
    scale = s.constant(np.full(shape, s.one((0.5, 0.1, 2.0)), np.float32))
    kind = s.one(bytes_) if forward else x.kind
    point = s.new(kind, shape, constants=85) if s.chance(60) else None
    s.node(operator, [x, scale, point], axis=axis)


@recipe("DynamicQuantizeLinear")
def dynamic_quantize_linear(s: Sketch, operator: str) -> None:
    s.node(operator, [s.take((FLOAT,))], outputs=3)


@recipe("QLinearMatMul")
def q_linear_matmul(s: Sketch, operator: str) -> None:
    bytes_ = (TensorProto.UINT8, TensorProto.INT8)
    a = s.take(bytes_, (2, 3), (2, 3, 1, 4))
    # of other types onnxruntime has no products, and ONNX's evaluator rounds halves its own way
    b = s.new(s.one(bytes_) if a.kind == bytes_[0] else a.kind, (a.shape[-1], s.integer(1, 3)), constants=60)
    scales = [s.constant(np.array(s.one((0.5, 0.1, 0.25)), np.float32)) for _ in range(3)]
    points = [s.new(k, (), constants=90) for k in (a.kind, b.kind, a.kind)]
    s.node(operator, [a, scales[0], points[0], b, scales[1], points[1], scales[2], points[2]])


@recipe("QLinearConv")
def q_linear_conv(s: Sketch, operator: str) -> None:
    bytes_ = (TensorProto.UINT8, TensorProto.INT8)
    x = picture(s, bytes_, (4,))
    attributes = window(s, x)
    kind = s.one(bytes_) if x.kind == bytes_[0] else x.kind
    w = s.new(kind, (s.integer(1, 2), x.shape[1], *attributes["kernel_shape"]), constants=80)
    scales = [s.constant(np.array(s.one((0.5, 0.1, 0.25)), np.float32)) for _ in range(3)]
    points = [s.new(k, (), constants=90) for k in (x.kind, w.kind, x.kind)]
    bias = s.like(TensorProto.INT32, w.shape[:1]) if s.chance(40) else None
    quantised = [x, scales[0], points[0], w, scales[1], points[1], scales[2], points[2]]
    s.node(operator, [*quantised, bias], **attributes)


@recipe("RNN", "GRU", "LSTM")
def recurrent(s: Sketch, operator: str) -> None:
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[operator]
    layout = s.one((None, None, 1))
    x = s.take((FLOAT,) if s.chance(80) else FLOATS[:2], (3,), (2, 3, 1, 4))
    length, batch = x.shape[1::-1] if layout else x.shape[:2]
    direction = s.one((None, "forward", "reverse", "bidirectional"))
    ways = 2 if direction == "bidirectional" else 1
    hidden = s.integer(1, 3)
    w = s.new(x.kind, (ways, gates * hidden, x.shape[2]), constants=85)
    r = s.new(x.kind, (ways, gates * hidden, hidden), constants=85)
    b = s.new(x.kind, (ways, 2 * gates * hidden), constants=85) if s.chance(60) else None
    state = (batch, ways, hidden) if layout else (ways, batch, hidden)
    lengths = s.values(s.ints(batch, 1, length), TensorProto.INT32) if s.chance(20) else None
    inputs = [x, w, r, b, lengths, s.like(x.kind, state) if s.chance(40) else None]
    more: dict[str, Any] = {}
    if operator == "LSTM":
        inputs.append(s.like(x.kind, state) if s.chance(40) else None)
        inputs.append(s.like(x.kind, (ways, 3 * hidden), constants=85) if s.chance(20) else None)
    elif operator == "GRU":
        more["linear_before_reset"] = s.one((None, 0, 1))
    outputs = s.integer(1, 3 if operator == "LSTM" else 2)
    # onnxruntime does not run layout 1, and ONNX's own evaluator does not clip
    clip = s.one((None, None, None, 0.5)) if not layout else None
    s.node(operator, inputs, outputs=outputs, hidden_size=hidden, direction=direction, layout=layout, clip=clip, **more)


@recipe("Attention")
def attention(s: Sketch, operator: str) -> None:
    kind = s.kind(FLOATS[:3])
    batch, queries, keys, heads, size = s.integer(1, 2), s.integer(1, 3), s.integer(1, 4), s.one((2, 1)), s.one((2, 4))
    shared = s.one((heads, 1))
    if s.chance(50):
        q = s.like(kind, (batch, heads, queries, size), constants=0)
        k, v = (s.like(kind, (batch, shared, keys, size), constants=10) for _ in range(2))
        counts: dict[str, Any] = {}
    else:
        q = s.like(kind, (batch, queries, heads * size), constants=0)
        k, v = (s.like(kind, (batch, keys, shared * size), constants=10) for _ in range(2))
        counts = {"q_num_heads": heads, "kv_num_heads": shared}
    mask = s.like(s.one((kind, TensorProto.BOOL)), (queries, keys)) if s.chance(30) else None
    s.node(
        operator,
        [q, k, v, mask],
        is_causal=s.one((None, None, 1)),
        scale=s.one((None, None, 0.5)),
        softcap=s.one((None, None, 2.0)),
        **counts,
    )


@recipe("RotaryEmbedding")
def rotary_embedding(s: Sketch, operator: str) -> None:
    kind = s.kind((FLOAT, TensorProto.FLOAT16))
    batch, length, heads, size = s.integer(1, 2), s.integer(1, 3), s.one((2, 1)), s.one((4, 2))
    flat = s.chance(40)
    x = s.like(kind, (batch, length, heads * size) if flat else (batch, heads, length, size), constants=0)
    ids = s.chance(50)
    caches = [s.new(kind, (5, size // 2) if ids else (batch, length, size // 2), constants=80) for _ in range(2)]
    positions = s.constant(np.array(s.ints(batch * length, 0, 4)).reshape(batch, length)) if ids else None
    s.node(operator, [x, *caches, positions], interleaved=s.one((None, 1)), num_heads=heads if flat else None)


@recipe("Dropout")
def dropout(s: Sketch, operator: str) -> None:
    x = s.take(FLOATS, (2, 1, 3, 4, 0), SIZES)
    ratio = s.constant(np.array(0.5, np.float32)) if s.chance(50) else None
    s.node(operator, [x, ratio], outputs=s.one((1, 1, 2)))
