"""Inputs to compare on: the same in every run, of the right sizes and ranges, and the user's held against the model."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from small_models import parse

from convert.errors import BadSamples
from rewrite.passes.infer_shapes import infer_shapes
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import SIZES, Arrays, Sample, check, fitting_size, index_bounds, make_samples


def model(text: str) -> onnx.ModelProto:
    return infer_shapes(parse(text))


PAIR = "(float[N,3] x, float[M,N] z) => (float[M,3] y) { y = MatMul(z, x) }"


def same(a: Sample, b: Sample) -> bool:
    return a.name == b.name and all(a.arrays[n].tobytes() == b.arrays[n].tobytes() for n in a.arrays)


def test_they_are_the_same_in_every_run() -> None:
    first, second = make_samples(model(PAIR)), make_samples(model(PAIR))
    assert all(same(a, b) for a, b in zip(first, second, strict=True))
    assert [s.name for s in first] == ["random 0", "random 1", "random 2", "zeros", "ones", "tiny", "large"]
    assert [s.strict for s in first] == [True, True, True, True, False, False, False]


def test_symbols_take_several_sizes_and_differ() -> None:
    sizes = []
    for sample in make_samples(model(PAIR))[:3]:
        n, m = sample.arrays["x"].shape[0], sample.arrays["z"].shape[0]
        assert sample.arrays["z"].shape[1] == n
        sizes.append((n, m))
    assert sizes == [(5, 6), (1, 1), (16, 17)]
    assert SIZES[0] == 5


def test_a_size_that_the_model_runs_with() -> None:
    """A TopK of 8 among 5 is an error: the reference is asked with more."""
    eight = model("(float[N] x) => (float[8] y, int64[8] i) <int64[1] k = {8}> { y, i = TopK(x, k) }")
    assert fitting_size(eight, OnnxReference(eight)) == SIZES[1]
    assert fitting_size(model(PAIR), OnnxReference(model(PAIR))) == SIZES[0]


@pytest.mark.parametrize(
    "kind", ["float", "double", "float16", "bfloat16", "int8", "int64", "uint8", "uint32", "bool"]
)  # fmt: skip
@pytest.mark.parametrize("shape", ["[2,3]", "[1]", "[N]", "[0,2]", ""])
def test_dtypes_and_shapes(kind: str, shape: str) -> None:
    samples = make_samples(parse(f"({kind}{shape} x) => ({kind}{shape} y) {{ y = Identity(x) }}"))
    dtype = onnx.helper.tensor_dtype_to_np_dtype(getattr(onnx.TensorProto, kind.upper()))
    for sample in samples:
        assert isinstance(sample.arrays["x"], np.ndarray)
        assert sample.arrays["x"].dtype == dtype


def test_edges_are_at_the_edges() -> None:
    zeros, ones, tiny, large = (
        s.arrays["x"] for s in make_samples(parse("(float[99] x) => (float[99] y) { y = Neg(x) }"))[3:]
    )
    assert not zeros.any()
    assert np.signbit(zeros).any()
    assert (ones == 1).all()
    assert (np.abs(tiny) <= np.finfo(np.float32).tiny).all()
    assert (tiny != 0).any()
    assert set(large.tolist()) == {88.0, -88.0, 3e4, -3e4}


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("(float[7,3] x, int64[4] i) => (float[4,3] y) { y = Gather(x, i) }", {"i": (7,)}),
        ("(float[7,3] x, int64[4] i) => (float[7,4] y) { y = Gather<axis=-1>(x, i) }", {"i": (3,)}),
        ("(int32[4] i) => (float[2,2,3] y) <float[7,3] w, int64[2] s={2,2}>"
         " { j = Cast<to=7>(i) k = Reshape(j, s) y = Gather(w, k) }", {"i": (7,)}),
        ("(float[7,3] x, int64[2,3] i) => (float[2,3] y) { y = GatherElements(x, i) }", {"i": (7,)}),
        ("(float[7,3] x, float[5,3] z, int64[4] i) => (float[4,3] y)"
         " { a = Gather(x, i) b = Gather(z, i) y = Add(a, b) }", {"i": (7, 5)}),
        ("(int64[4] i, int64[4] j) => (float[8,3] y) <float[7,3] w>"
         " { k = Concat<axis=0>(i, j) y = Gather(w, k) }", {"i": (7,), "j": (7,)}),
        ("(int64[4] i) => (int64[4] y) { y = Neg(i) }", {}),
        ("(float[N,3] x, int64[E] i) => (float[E,3] y) { y = Gather(x, i) }", {"i": ("N",)}),
        ("(float[N,3] x, int64[E,1] i, float[E,3] u) => (float[N,3] y) { y = ScatterND<reduction=\"add\">(x, i, u) }",
         {"i": ("N",)}),
        ("(float[7,3] x, int64[4,2] i, float[4] u) => (float[7,3] y) { y = ScatterND(x, i, u) }", {}),
        ("(float[N,3] x, int64[E,1] i) => (float[E,3] y) { y = GatherND(x, i) }", {"i": ("N",)}),
        ("(float[N,3] x, int64[N,E,1] i) => (float[N,E] y) { y = GatherND<batch_dims=1>(x, i) }", {}),
        ("(float[N,3] x, int64[2,E] i) => (float[E,3] y) <int64 first={0}> { s = Gather(i, first) y = Gather(x, s) }",
         {"i": ("N",)}),
        ("(float[N,3] x, int64[2,E] i) => (float[E,3] y) <int64[1] axis={0}>"
         " { a, b = Split<num_outputs=2>(i) s = Squeeze(b, axis) y = Gather(x, s) }", {"i": ("N",)}),
        ("(int64[N,3] x, int64[E] i) => (int64[E,3] y) <float[7,3] w> { k = Gather(x, i) y = Neg(k) }", {"i": ("N",)}),
    ],
)  # fmt: skip
def test_indices_stay_inside(text: str, bounds: dict[str, tuple[int | str, ...]]) -> None:
    text = text.replace("<float[7,3] w", "<float[7,3] w={" + ",".join("1" * 21) + "}")
    assert index_bounds(model(text)) == bounds
    for sample in make_samples(model(text)):
        for name, sizes in bounds.items():
            bound = min(s if isinstance(s, int) else len(sample.arrays["x"]) for s in sizes)
            assert (sample.arrays[name] >= 0).all()
            assert (sample.arrays[name] < bound).all()


def test_nothing_is_divided_by_an_integer_zero() -> None:
    text = "(int32[99] x, int32[99] z) => (int32[99] y) { y = Div(x, z) }"
    assert all(s.arrays["z"].all() for s in make_samples(model(text)))


def test_given_arrays_come_last_and_are_strict() -> None:
    x, z = np.ones((2, 3), np.float32), np.ones((4, 2), np.float32)
    last = make_samples(model(PAIR), [("user", {"x": x, "z": z})])[-1]
    assert (last.name, last.strict) == ("user", True)
    assert last.arrays["x"] is x


def test_all_that_does_not_fit_is_told() -> None:
    given: list[tuple[str, Arrays]] = [
        ("first", {"x": np.ones((2, 4), np.float32), "q": np.ones(1)}),
        ("second", {"x": np.ones((2, 3), np.float64), "z": np.ones(3, np.float32)}),
    ]
    with pytest.raises(BadSamples) as caught:
        check(model(PAIR), given)
    assert [f.what for f in caught.value.findings] == [
        "first has no array for the input 'z'",
        "first has 'q', which is no input",
        "first: 'x' is float32[2, 4], the model takes float32[N,3]",
        "second: 'x' is float64[2, 3], the model takes float32[N,3]",
        "second: 'z' is float32[3], the model takes float32[M,N]",
    ]


def test_one_symbol_has_one_size() -> None:
    given = [("user", {"x": np.ones((2, 3), np.float32), "z": np.ones((4, 5), np.float32)})]
    with pytest.raises(BadSamples, match=r"'N' is 2 in 'x' and 5 in 'z'"):
        check(model(PAIR), given)
