"""Channels-first inputs and outputs: which change, which stay and why, and that the numbers stay."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from small_models import arrays_for, operators, parse

from rewrite.api import prepare
from rewrite.passes.hand_over_channels_first import Layout, hand_over_channels_first
from sofie_bridge.reference import OnnxReference

FIRST, LAST = "perm=[0,3,1,2]", "perm=[0,2,3,1]"


def handed_over(text: str) -> tuple[onnx.ModelProto, Layout]:
    """The model behind the pass; its numbers are held against those before."""
    model = parse(text)
    graph = prepare(model)
    layout = hand_over_channels_first(graph)
    after = graph.write()
    onnx.checker.check_model(after, full_check=True)
    arrays = arrays_for(model)
    moved = {n: a.transpose(layout.perms.get(n, range(a.ndim))) for n, a in arrays.items()}
    given = OnnxReference(after)(moved)
    for name, expected in OnnxReference(model)(arrays).items():
        wanted = np.asarray(expected)
        np.testing.assert_array_equal(given[name], wanted.transpose(layout.perms.get(name, range(wanted.ndim))))
    return after, layout


def shapes(model: onnx.ModelProto) -> dict[str, list[int | str]]:
    ports = (*model.graph.input, *model.graph.output)
    return {i.name: [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim] for i in ports}


@pytest.mark.parametrize(
    ("text", "left", "ports"),
    [
        (f"(float[N,4,5,3] x) => (float[N,4,5,3] y) {{ a = Transpose<{FIRST}>(x) b = Relu(a) y = Transpose<{LAST}>(b) }}", ["Relu"], {"x": ["N", 3, 4, 5], "y": ["N", 3, 4, 5]}),
        ("(float[2,7,3] x) => (float[2,7,3] y) { a = Transpose<perm=[0,2,1]>(x) b = Relu(a) y = Transpose<perm=[0,2,1]>(b) }", ["Relu"], {"x": [2, 3, 7], "y": [2, 3, 7]}),
        ("(float[N,4,5,6,2] x) => (float[N,2,4,5,6] y) { a = Transpose<perm=[0,4,1,2,3]>(x) y = Relu(a) }", ["Relu"], {"x": ["N", 2, 4, 5, 6], "y": ["N", 2, 4, 5, 6]}),
        # two readers of the transposed input; one of them the inverse at the end
        (f"(float[N,4,5,3] x) => (float[N,3,4,5] y, float[N,4,5,3] z) {{ a = Transpose<{FIRST}>(x) y = Relu(a) b = Neg(a) z = Transpose<{LAST}>(b) }}", ["Relu", "Neg"], {"x": ["N", 3, 4, 5], "y": ["N", 3, 4, 5], "z": ["N", 3, 4, 5]}),
        # a single channel, whose transposition is a Reshape
        ("(float[N,4,5,1] x) => (float[N,4,5,1] y) <int64[4] f = {-1,1,4,5}, int64[4] l = {-1,4,5,1}> { a = Reshape(x, f) b = Relu(a) y = Reshape(b, l) }", ["Relu"], {"x": ["N", 1, 4, 5], "y": ["N", 1, 4, 5]}),
        # others keep what they have
        (f"(float[N,4,5,3] x, float[N,6] v) => (float[N,3,4,5] y, float[N,6] w) {{ a = Transpose<{FIRST}>(x) y = Relu(a) w = Neg(v) }}", ["Relu", "Neg"], {"x": ["N", 3, 4, 5], "v": ["N", 6], "y": ["N", 3, 4, 5], "w": ["N", 6]}),
    ],
)  # fmt: skip
def test_what_changes(text: str, left: list[str], ports: dict[str, list[int | str]]) -> None:
    model, _ = handed_over(text)
    assert operators(model) == left
    assert shapes(model) == ports


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("(float[1,4,5,3] x) => (float[1,4,5,3] y) { y = Relu(x) }", {"input x": "nothing transposes it where it comes in", "output y": "nothing transposes it where it goes out"}),
        (f"(float[1,4,5,3] x) => (float[1,3,4,5] y, float[1,4,5,3] z) {{ y = Transpose<{FIRST}>(x) z = Relu(x) }}", {"input x": "it is read in the layout that it has"}),
        (f"(float[1,3,4,5] x) => (float[1,4,5,3] y, float[1,4,5,3] z) {{ a = Relu(x) y = Transpose<{LAST}>(a) z = Relu(y) }}", {"output y": "it is read in the layout that it has"}),
        ("(float[1,4,5,3] x) => (float[1,4,3,5] y) { a = Transpose<perm=[0,1,3,2]>(x) y = Relu(a) }", {"input x": "nothing transposes it where it comes in"}),
    ],
)  # fmt: skip
def test_what_stays(text: str, kept: dict[str, str]) -> None:
    model, layout = handed_over(text)
    assert operators(model) == operators(parse(text))
    assert not layout.perms
    assert {n: why for n, why in layout.kept.items() if n in kept} == kept


def test_notes() -> None:
    _, layout = handed_over(
        f"(float[N,4,5,3] x, float[2,7,3] v) => (float[N,3,4,5] y, float[2,7,3] w) {{ a = Transpose<{FIRST}>(x) y = Relu(a) w = Neg(v) }}"
    )
    assert layout.notes()[:2] == [
        "input x is channels first: [N,3,4,5], not [N,4,5,3]",
        "input v stays as it is: nothing transposes it where it comes in",
    ]
