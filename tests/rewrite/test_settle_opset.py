"""Models of every opset mean the same at ours: numbers in onnxruntime before and after all passes."""

from __future__ import annotations

import onnx
import pytest
from small_models import arrays_for, assert_same_numbers, operators, parse

from convert.errors import BadModel
from rewrite.api import prepare
from rewrite.graph import OPSET
from rewrite.passes.settle_opset import opset_of, settle_opset

_BN = """<float[3] s={1,2,3}, float[3] b={0.5,0,1}, float[3] u={0,1,2}, float[3] v={1,2,3}>
    { y = BatchNormalization(x,s,b,u,v) }"""
_W = "<float[5,2] w={1,2,3,4,5,6,7,8,9,10}, "
_UP = "(float[1,2,3,3] x) => (float[1,2,6,6] y)"

MODELS = {
    "Upsample-7": (7, f'{_UP} {{ y = Upsample<mode="nearest", scales=[1.0,1.0,2.0,2.0]>(x) }}'),
    "Upsample-9": (9, f'{_UP} <float[4] s={{1,1,2,2}}> {{ y = Upsample<mode="nearest">(x, s) }}'),
    "Upsample-9 linear": (9, f'{_UP} <float[4] s={{1,1,2,2}}> {{ y = Upsample<mode="linear">(x, s) }}'),
    "Upsample-9 fractional": (
        9,
        '(float[1,1,4,4] x) => (float[1,1,5,6] y) <float[4] s={1,1,1.3,1.5}> { y = Upsample<mode="nearest">(x, s) }',
    ),
    "Resize-10": (10, f'{_UP} <float[4] s={{1,1,2,2}}> {{ y = Resize<mode="nearest">(x, s) }}'),
    "Resize-10 linear": (10, f'{_UP} <float[4] s={{1,1,2,2}}> {{ y = Resize<mode="linear">(x, s) }}'),
    "Resize-10 smaller": (
        10,
        '(float[1,1,6,6] x) => (float[1,1,3,4] y) <float[4] s={1,1,0.5,0.7}> { y = Resize<mode="nearest">(x, s) }',
    ),
    "Resize-11": (
        11,
        f"{_UP} <float[4] s={{1,1,2,2}}, float[1] r={{0}}>"
        ' { y = Resize<mode="linear", coordinate_transformation_mode="align_corners">(x, r, s) }',
    ),
    "BatchNormalization-7": (7, f"(float[2,3,4] x) => (float[2,3,4] y) {_BN}"),
    "BatchNormalization-9": (9, f"(float[2,3,4] x) => (float[2,3,4] y) {_BN}"),
    "BatchNormalization-14": (14, f"(float[2,3,4] x) => (float[2,3,4] y) {_BN}"),
    "Softmax-1": (7, "(float[2,3,4] x) => (float[2,3,4] y) { y = Softmax(x) }"),
    "Softmax-11": (11, "(float[2,3,4] x) => (float[2,3,4] y) { y = Softmax<axis=1>(x) }"),
    "Softmax-11 last": (11, "(float[2,3,4] x) => (float[2,3,4] y) { y = Softmax<axis=2>(x) }"),
    "Softmax-11 open": (11, "(float[N,3,4] x) => (float[N,3,4] y) { y = Softmax<axis=1>(x) }"),
    "LogSoftmax-11": (11, "(float[2,3,4] x) => (float[2,3,4] y) { y = LogSoftmax(x) }"),
    "Hardmax-11": (11, "(float[2,3,4] x) => (float[2,3,4] y) { y = Hardmax(x) }"),
    "Hardmax-13": (13, "(float[2,3,4] x) => (float[2,3,4] y) { y = Hardmax(x) }"),
    "Dropout-7": (7, "(float[2,3] x) => (float[2,3] y) { y = Dropout<ratio=0.3>(x) }"),
    "Dropout-10": (10, "(float[2,3] x) => (float[2,3] y) { y, m = Dropout<ratio=0.3>(x) }"),
    "Slice-1": (7, "(float[4,6] x) => (float[2,3] y) { y = Slice<axes=[0,1], starts=[1,2], ends=[3,5]>(x) }"),
    "Pad-2": (7, '(float[2,3] x) => (float[4,6] y) { y = Pad<mode="constant", pads=[1,1,1,2], value=1.5>(x) }'),
    "Pad-2 reflect": (7, '(float[4,5] x) => (float[6,8] y) { y = Pad<mode="reflect", pads=[1,1,1,2]>(x) }'),
    "Clip-6": (7, "(float[4,5] x) => (float[4,5] y) { y = Clip<min=-0.5, max=0.5>(x) }"),
    "Clip-6 min": (7, "(float[4,5] x) => (float[4,5] y) { y = Clip<min=-0.5>(x) }"),
    "Clip-6 open": (7, "(float[4,5] x) => (float[4,5] y) { y = Clip(x) }"),
    "Squeeze-1": (7, "(float[4,1,5] x) => (float[4,5] y) { y = Squeeze<axes=[1]>(x) }"),
    "Squeeze-1 all": (7, "(float[4,1,5] x) => (float[4,5] y) { y = Squeeze(x) }"),
    "Squeeze-11": (11, "(float[4,5,1] x) => (float[4,5] y) { y = Squeeze<axes=[-1]>(x) }"),
    "Unsqueeze-1": (7, "(float[4,5] x) => (float[4,1,5] y) { y = Unsqueeze<axes=[1]>(x) }"),
    "ReduceSum-11": (11, "(float[4,5] x) => (float[4] y) { y = ReduceSum<axes=[1], keepdims=0>(x) }"),
    "ReduceSum-11 all": (11, "(float[4,5] x) => (float[1,1] y) { y = ReduceSum(x) }"),
    "ReduceMean-13": (13, "(float[4,5] x) => (float[4] y) { y = ReduceMean<axes=[-1], keepdims=0>(x) }"),
    "TopK-1": (7, "(float[4,5] x) => (float[4,2] y, int64[4,2] i) { y, i = TopK<k=2, axis=1>(x) }"),
    "TopK-10": (
        10,
        "(float[4,5] x) => (float[4,2] y, int64[4,2] i) <int64[1] k={2}> { y, i = TopK<axis=1>(x, k) }",
    ),
    "Gemm-7": (7, f"(float[4,5] x) => (float[4,2] y) {_W} float[2] b={{1,2}}> {{ y = Gemm<beta=0.5>(x,w,b) }}"),
    "Gemm-7 one": (7, f"(float[4,5] x) => (float[4,2] y) {_W} float[1] b={{1}}> {{ y = Gemm<beta=0.5>(x,w,b) }}"),
    "Split-2": (11, "(float[4,6] x) => (float[4,2] a, float[4,4] b) { a, b = Split<axis=1, split=[2,4]>(x) }"),
    "Split-2 equal": (11, "(float[4,6] x) => (float[4,3] a, float[4,3] b) { a, b = Split<axis=1>(x) }"),
    "AveragePool-7": (
        7,
        "(float[1,1,4,4] x) => (float[1,1,5,5] y) { y = AveragePool<kernel_shape=[2,2], pads=[1,1,1,1]>(x) }",
    ),
    "LSTM-7": (
        7,
        "(float[3,1,2] x, float[1,12,2] w, float[1,12,3] r) => (float[3,1,1,3] y)"
        " { y, h, c = LSTM<hidden_size=3>(x, w, r) }",
    ),
    "PRelu-7": (7, "(float[1,3,3] x) => (float[1,3,3] y) <float[3,1] s={0.1,0.2,0.3}> { y = PRelu(x, s) }"),
    "RoiAlign-10": (
        10,
        "(float[1,2,8,8] x) => (float[1,2,3,3] y) <float[1,4] r={0.3,0.4,5.2,6.7}, int64[1] i={0}>"
        " { y = RoiAlign<output_height=3, output_width=3>(x, r, i) }",
    ),
    "MeanVarianceNormalization-13": (
        13,
        "(float[2,2,3,3] x) => (float[2,2,3,3] y) { y = MeanVarianceNormalization(x) }",
    ),
    "GridSample-16": (
        16,
        '(float[1,1,3,3] x, float[1,2,2,2] g) => (float[1,1,2,2] y) { y = GridSample<mode="bilinear">(x, g) }',
    ),
    "STFT-17": (
        17,
        "(float[1,16,1] x) => (float[1,3,5,2] y) <int64 s={4}, int64 l={8}> { y = STFT(x, s, , l) }",
    ),
    "DFT-17": (17, "(float[1,8,1] x) => (float[1,5,2] y) { y = DFT<axis=1, onesided=1>(x) }"),
    "GroupNormalization-18": (
        18,
        "(float[2,4,3] x) => (float[2,4,3] y) <float[2] s={1,2}, float[2] b={0,1}>"
        " { y = GroupNormalization<num_groups=2, epsilon=0.01>(x, s, b) }",
    ),
    "Softplus-26": (26, "(float[4,6] x) => (float[4,6] y) { y = Softplus(x) }"),
    "Relu-27": (27, "(float[4,6] x) => (float[4,6] y) { y = Relu(x) }"),
    "CausalConvWithState-27": (
        27,
        "(float[1,2,5] x, float[1,2,2] p) => (float[1,2,5] y, float[1,2,2] s) <float[2,1,3] w={1,2,3,4,5,6}>"
        " { y, s = CausalConvWithState(x, w, , p) }",
    ),
    "Mod-28": (28, "(int64[4] x) => (int64[4] y) <int64[1] k={2}> { y = Mod(x, k) }"),
    "Mod-28 fmod": (28, "(float[4] x) => (float[4] y) <float[1] k={0.3}> { y = Mod<fmod=1>(x, k) }"),
    "Mod-28 of floats": (28, "(float[4] x, float[4] k) => (float[4] y) { y = Mod(x, k) }"),
    "BitShift-28 left": (28, '(int32[4] x, int32[4] k) => (int32[4] y) { y = BitShift<direction="LEFT">(x, k) }'),
    "BitShift-28 right": (28, '(int64[4] x, int64[4] k) => (int64[4] y) { y = BitShift<direction="RIGHT">(x, k) }'),
    "BitShift-28 beyond": (
        28,
        '(uint8[4] x) => (uint8[4] y) <uint8[4] k = {0, 1, 7, 200}> { y = BitShift<direction="LEFT">(x, k) }',
    ),
    "BitShift-28 within": (28, '(uint8[4] x) => (uint8[4] y) <uint8 k = {3}> { y = BitShift<direction="LEFT">(x, k) }'),
    "SpaceToDepth-28 DCR": (
        28,
        '(float[1,1,4,4] x) => (float[1,4,2,2] y) { y = SpaceToDepth<blocksize=2, mode="DCR">(x) }',
    ),
    "SpaceToDepth-28 CRD": (
        28,
        '(float[1,2,4,4] x) => (float[1,8,2,2] y) { y = SpaceToDepth<blocksize=2, mode="CRD">(x) }',
    ),
    "SwiGLU-28": (28, "(float[2,4] x, float[2,4] z) => (float[2,4] y) { y = SwiGLU(x, z) }"),
    "Celu-28 float16": (28, "(float16[4] x) => (float16[4] y) { y = Celu(x) }"),
    "If-11": (
        11,
        "(float[2,1,3] x, bool c) => (float[2,3] y) { y = If(c)"
        " <then_branch = a () => (float[2,3] t) { t = Squeeze<axes=[1]>(x) },"
        " else_branch = b () => (float[2,3] e) { q = Hardmax<axis=1>(x) e = Squeeze<axes=[1]>(q) }> }",
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_means_the_same(name: str) -> None:
    opset, text = MODELS[name]
    before = parse(text, opset)
    kept = before.SerializeToString()
    after = prepare(before).write()
    assert opset_of(after) == OPSET
    assert before.SerializeToString() == kept
    assert_same_numbers(before, after, rtol=1e-3 if "float16" in name else 1e-6)


@pytest.mark.parametrize(
    ("opset", "text", "words"),
    [
        (28, '(bfloat16[4] x) => (bfloat16 y) { y = Einsum<equation="i->">(x) }', "tensor.bfloat16."),
        (6, "(float[1,3,3] x, float[3] s) => (float[1,3,3] y) { y = PRelu(x, s) }", "channels"),
        (3, "(float[2,3] x) => (float[2,3] y) { y = Upsample<width_scale=1.0, height_scale=1.0>(x) }", "converted"),
    ],
)  # fmt: skip
def test_what_has_no_equal_is_refused(opset: int, text: str, words: str) -> None:
    with pytest.raises(BadModel, match=words):
        settle_opset(parse(text, opset))


def test_all_that_has_no_equal_is_named() -> None:
    text = '(bfloat16[4] x) => (bfloat16 y) { z = Einsum<equation="i->i">(x) y = Einsum<equation="i->">(z) }'
    model = parse(text, 28)
    with pytest.raises(BadModel) as caught:
        settle_opset(model)
    assert ["'z'" in f.where or "'y'" in f.where for f in caught.value.findings] == [True, True]


def test_other_domains_keep_their_versions() -> None:
    text = "(float[3] x) => (float[3] y) { y = my.domain.Thing(x) }"
    for opset in (11, 26, 28):
        after = settle_opset(parse(text, opset, {"my.domain": 7}))
        assert {i.domain: i.version for i in after.opset_import} == {"": OPSET, "my.domain": 7}


def test_ai_onnx_is_the_same_domain() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["ai.onnx": 17]> m (float[3] x) => (float[3] y) { y = ai.onnx.Relu(x) }'
    )
    after = prepare(model).write()
    assert [n.domain for n in after.graph.node] == [""]
    assert_same_numbers(parse("(float[3] x) => (float[3] y) { y = Relu(x) }"), after)


def test_initializers_of_old_ir_versions() -> None:
    """Before IR version 4 every initializer is among the inputs; exporters stopped writing them there early."""
    model = parse("(float[2,2] x) => (float[2,2] y) <float[2,2] w={1,2,3,4}> { y = MatMul(x, w) }", 8)
    model.ir_version = 3
    assert_same_numbers(model, prepare(model).write(), arrays_for(model))


def test_provenance_survives_conversion() -> None:
    model = parse("(float[2,3,4] x) => (float[2,3,4] y) { y = Softmax(x) }", 11)
    model.graph.node[0].name = "attention/softmax"
    trace = 'File "model/net.py", line 7, in forward'
    model.graph.node[0].metadata_props.add(key="pkg.torch.onnx.stack_trace", value=trace)
    graph = prepare(model)
    assert len(operators(graph.write())) > 1
    assert {str(graph.origin(n)) for n in graph.nodes} == {"Softmax node 'attention/softmax' (model/net.py:7)"}
