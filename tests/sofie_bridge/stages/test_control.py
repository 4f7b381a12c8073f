"""Control flow whose course is known while it runs: its bodies rewritten and emitted, its numbers onnxruntime's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from kernel_cases import arrays_of, differences
from small_models import parse

import convert
from convert.errors import ConvertError
from rewrite.api import Rewritten, rewrite_model
from rewrite.bodies import bodies_of
from rewrite.passes.infer_shapes import infer_shapes
from sofie_bridge import toolchain
from sofie_bridge.batch import Piece, run_pieces
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import Sample
from sofie_bridge.sofie import Sofie
from sofie_bridge.stages.library import Library
from sofie_bridge.stages.target import StagedTarget
from sofie_bridge.stages.unseen import unseen_branches

_W = "float[4,4] w={1,0,0,2,0,1,0,0,-1,0,1,0,0,0.5,0,1}"

#: Models, and what some of their inputs are; each is run for every choice.
MODELS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "branches": (
        f"(bool c, float[N,4] x, float[K,4] z) => (float[R,4] y) <{_W}> {{ a = MatMul(x, w) b = If(c)"
        " <then_branch = t () => (float[N,4] u) { u = MatMul(a, w) },"
        " else_branch = e () => (float[K,4] v) { k = Neg(z) v = Mul(k, k) }> y = Relu(b) }",
        [{"c": True}, {"c": False}],
    ),
    "if_passes_on": (
        "(bool c, float[N,4] x, float[M,4] z) => (float[R,4] y, float[2] k) <float[2] one={1,2}, float[2] two={3,4}>"
        "{ y, k = If(c) <then_branch = t () => (float[N,4] u, float[2] p) { u = Identity(x) p = Identity(one) },"
        " else_branch = e () => (float[M,4] v, float[2] q) { v = Neg(z) q = Identity(two) }> }",
        [{"c": True}, {"c": False}],
    ),
    "if_in_if": (
        "(bool c, bool d, float[N,4] x, float[M,4] z) => (float[R,4] y) { y = If(c)"
        " <then_branch = t () => (float[P,4] u) { u = If(d) <then_branch = tt () => (float[N,4] a) { a = Neg(x) },"
        " else_branch = te () => (float[N,4] b) { b = Abs(x) }> },"
        " else_branch = e () => (float[M,4] v) { v = Neg(z) }> }",
        [{"c": True, "d": True}, {"c": True, "d": False}, {"c": False, "d": True}],
    ),
    "loop_of_trips": (
        f"(int64 m, float[N,4] x) => (float[N,4] y) <bool t={{1}}, {_W}> {{ a = Neg(x) b = Loop"
        " <body = b (int64 i, bool c, float[N,4] u) => (bool d, float[N,4] v)"
        " { d = Identity(c) p = MatMul(u, w) q = Tanh(p) v = Add(q, a) }> (m, t, x) y = Relu(b) }",
        [{"m": 0}, {"m": 1}, {"m": 4}],
    ),
    "loop_by_condition": (
        "(float[4] x) => (float[4] y, float[T,4] s, int64 n) <int64 m={500}, bool t={1}, float lim={20.0},"
        " int64[0] none={}, int64 zero={0}, int64 one={1}> { y, n, s = Loop"
        " <body = b (int64 i, bool c, float[4] u, int64 k) => (bool d, float[4] v, int64 l, float[4] w)"
        " { e = Abs(u) v = Add(e, x) l = Add(k, one) w = Mul(v, v) g = ReduceSum<keepdims=1>(w) h = Less(g, lim)"
        " d = Reshape(h, none) }> (m, t, x, zero) }",
        [{"x": [1, 1, 1, 1]}, {"x": [9, 9, 9, 9]}, {"x": [0.25, 0.25, 0.25, 0.25]}],
    ),
    "scan": (
        "(float[3] s, float[N,3] x) => (float[3] y, float[N,3] z) { y, z = Scan <num_scan_inputs = 1,"
        " body = b (float[3] u, float[3] e) => (float[3] v, float[3] w) { v = Add(u, e) w = Mul(v, v) }> (s, x) }",
        [{}],
    ),
    "scan_backwards_along_the_second_axis": (
        "(float[3] s, float[3,N] x, float[N,2] k) => (float[3] y, float[3,N] z, float[N,2] l) { y, z, l = Scan"
        " <num_scan_inputs = 2, scan_input_axes=[1,0], scan_output_axes=[1,0], scan_input_directions=[1,0],"
        " scan_output_directions=[1,0], body = b (float[3] u, float[3] e, float[2] h) =>"
        " (float[3] v, float[3] w, float[2] g) { v = Add(u, e) w = Mul(v, v) g = Neg(h) }> (s, x, k) }",
        [{}],
    ),
    "scan_along_the_last_axis": (
        "(float[3] s, float[3,N] x) => (float[3] y, float[3,N] z) { y, z = Scan"
        " <num_scan_inputs = 1, scan_input_axes=[-1], scan_output_axes=[-1], body = b (float[3] u, float[3] e) =>"
        " (float[3] v, float[3] w) { v = Add(u, e) w = Mul(v, v) }> (s, x) }",
        [{}],
    ),
    "kernel_in_loop": (
        "(int64 m, float[3,4] x, int64[1] k) => (float[3,4] y) <bool t={1}, int64[1] ax={1}> { y = Loop"
        " <body = b (int64 i, bool c, float[3,4] u) => (bool d, float[3,4] v) { d = Identity(c)"
        " p, q = TopK(u, k) s = ReduceSum<keepdims=1>(p, ax) v = Add(u, s) }> (m, t, x) }",
        [{"m": 2, "k": [3]}],
    ),
}


def rewritten(text: str, sofie: Sofie) -> tuple[onnx.ModelProto, Rewritten]:
    model = infer_shapes(parse(text))
    return model, rewrite_model(model, StagedTarget(sofie), library=Library())


def test_numbers() -> None:
    with Sofie() as sofie:
        pieces = []
        for name, (text, chosen) in MODELS.items():
            model, done = rewritten(text, sofie)
            assert done.kept
            samples = [arrays_of(model, given, size) for given in chosen for size in (5, 2)]
            pieces.append(Piece(name, done.model, samples))
        wrong = []
        for piece, ran in run_pieces(pieces, sofie, toolchain.find()):
            found = differences(piece, ran.outputs) if ran.outcome == "ran" else [f"{ran.outcome}: {ran.words}"]
            wrong += [f"{piece.name}: {line}" for line in found]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "(int64 m, float[4] x) => (float[4] y, float[T,4] s) <bool t={1}> { y, s = Loop"
            " <body = b (int64 i, bool c, float[4] u) => (bool d, float[4] v, float[4] w)"
            " { d = Identity(c) v = Add(u, x) w = Neg(v) }> (m, t, x) }",
            "how many trips there may be",
        ),
        (
            "(int64 m, float[N,4] x) => (float[K,4] y) <bool t={1}> { y = Loop"
            " <body = b (int64 i, bool c, float[M,4] u) => (bool d, float[P,4] v)"
            " { d = Identity(c) v = Concat<axis=0>(u, x) }> (m, t, x) }",
            "rank|size of what it carries",
        ),
        (
            "(bool c, float[4] x) => (float[4] y) { y = If(c) <then_branch = t () => (float[4] u) { u = Neg(x) },"
            " else_branch = e () => (float[4] v) { v = RandomNormalLike(x) }> }",
            "RandomNormalLike",
        ),
    ],
    ids=["unbounded", "growing", "random"],
)
def test_refusals(text: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=why):
        convert.convert(infer_shapes(parse(text)), to="header", output=f"{tmp_path}/")


def test_bodies_are_models_of_their_own() -> None:
    """What they read from around them is an input, or their constant; what they only pass on, none of theirs."""
    text, _ = MODELS["if_passes_on"]
    model = infer_shapes(parse(text))
    other, taken = bodies_of(model, model.graph.node[0])
    assert (taken.made, taken.sources) == ([], ["x", "one"])
    assert (other.made, other.sources) == (["v"], ["v", "two"])
    alone = other.model(model)
    onnx.checker.check_model(alone, full_check=True)
    assert [i.name for i in alone.graph.input] == ["z"]


def test_what_a_loop_carries_on_keeps_its_shape() -> None:
    """ONNX's inference leaves it open, for a trip might change it."""
    text, _ = MODELS["loop_of_trips"]
    model = infer_shapes(parse(text))
    infos = {i.name: i.type.tensor_type.shape for i in model.graph.value_info}
    assert [d.dim_param or d.dim_value for d in infos["b"].dim] == ["N", 4]


def test_the_rewritten_bodies_are_in_the_model() -> None:
    """So that it can be held against the exported one, and its parts against it."""
    text, chosen = MODELS["loop_of_trips"]
    with Sofie() as sofie:
        model, done = rewritten(text, sofie)
    onnx.checker.check_model(done.model)
    arrays = arrays_of(model, chosen[2], 3)
    before, after = OnnxReference(model)(arrays), OnnxReference(done.model)(arrays)
    np.testing.assert_allclose(after["y"], before["y"], rtol=1e-6)


def test_a_branch_that_nothing_takes_is_told() -> None:
    text, _ = MODELS["if_passes_on"]
    with Sofie() as sofie:
        model, done = rewritten(text, sofie)
    arrays = arrays_of(model, {}, 3)
    taken, other = (Sample("given", {**arrays, "c": np.array(c)}) for c in (True, False))
    assert list(unseen_branches(done.model, [taken, other])) == []
    (said,) = unseen_branches(done.model, [taken])
    assert said.startswith("the else_branch of If node 'y' is unverified")
