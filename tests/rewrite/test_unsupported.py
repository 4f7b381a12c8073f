"""What is refused whatever a target says of it, and what is not."""

from __future__ import annotations

import onnx
import pytest

from rewrite.api import prepare
from rewrite.graph import IR_VERSION, OPSET, Graph
from rewrite.unsupported import unsupported_node


def graph(text: str) -> Graph:
    return prepare(onnx.parser.parse_model(f'<ir_version: {IR_VERSION}, opset_import: ["": {OPSET}]> case {text}'))


_RANGE = "<int64 z = {0}, int64 o = {1}> "


@pytest.mark.parametrize(
    "text",
    [
        "(int64 n) => (int64[M] y)" + _RANGE + "{ y = Range(z, n, o) }",
        "(int64 n) => (int64[2] y)" + _RANGE + "{ y = Range(z, n, o) }",  # sizes that the model claims tell no header
        "(float[N,3] x, int64 n) => (int64[M] y)" + _RANGE
        + "{ s = Size(x) t = Add(s, n) y = Range(z, t, o) }",
        "(float[3] x) => (float[3] y) <float[3] c = {1, 2, 3}, float r = {0.5}, bool t = {1}>"
        " { d = Dropout(c, r, t) y = Add(x, d) }",
    ],
)  # fmt: skip
def test_is_refused(text: str) -> None:
    known = [unsupported_node(n) for n in graph(text).nodes]
    assert any(k is not None and k.always for k in known)


@pytest.mark.parametrize(
    "text",
    [
        "(float[N,3] x) => (int64[M] y)" + _RANGE + "{ s = Size(x) y = Range(z, s, o) }",
        "(float[3] x) => (float[3] y) <int64 n = {3}> { w = HannWindow(n) y = Mul(w, x) }",
        "(float[2,9] x) => (float[2,8] y) <int64 n = {8}, int64 d = {16}, int64 s = {8192}, float l = {0}, float u = {4096}>"
        " { w = MelWeightMatrix(n, d, s, l, u) y = MatMul(x, w) }",
        "(float[3] x) => (float[3] y) <float r = {0}, bool t = {1}> { d = Dropout(x, r, t) y = Add(x, d) }",
    ],
)  # fmt: skip
def test_is_not(text: str) -> None:
    assert all(unsupported_node(n) is None for n in graph(text).nodes)
