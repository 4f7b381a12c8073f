"""The comparer, with wrong answers: what it lets through would leave the program as right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sofie_bridge.compare import TOLERANCES, Comparison, Tolerance, compare

NAN, INF = np.nan, np.inf
F32 = Tolerance.of(np.dtype(np.float32))


def seen(value: Any, reference: Any, dtype: Any = np.float32, **options: Any) -> Comparison:
    a, b = np.asarray(value, dtype), np.asarray(reference, dtype)
    return compare(a, b, Tolerance.of(b.dtype), **options)


def test_equal_is_good() -> None:
    result = seen([1, -0.0, INF, -INF, NAN, 3e38], [1, 0.0, INF, -INF, NAN, 3e38])
    assert result.good
    assert (result.absolute, result.relative, result.wrong, result.undecided, result.elements) == (0, 0, 0, 0, 6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("x", [1.0, -3.7, 1e-3, 1e4])
def test_one_ulp_passes_and_twice_the_tolerance_fails(dtype: str, x: float) -> None:
    reference = np.array([x], dtype)
    rtol, atol = TOLERANCES[dtype]
    allowed = atol + rtol * abs(float(reference[0]))
    assert seen(np.nextafter(reference, np.array(INF, dtype)), reference, dtype).good
    assert seen(reference + np.array(0.5 * allowed, dtype), reference, dtype).good
    for sign in (1, -1):
        result = seen(reference + np.array(sign * 2 * allowed, dtype), reference, dtype)
        assert not result.good
        assert result.wrong == 1
        assert result.absolute == pytest.approx(2 * allowed, rel=0.3)


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        (NAN, 1.0), (1.0, NAN), (NAN, INF), (INF, NAN), (INF, -INF), (-INF, INF), (INF, 3e38), (3e38, INF),
        (0.0, 1e-4), (1e-4, 0.0), (1.0, -1.0), (-INF, -3e38),
    ],
)  # fmt: skip
def test_wrong_numbers(value: float, reference: float) -> None:
    assert seen([value], [reference]).wrong == 1
    assert not seen([0.5, value], [0.5, reference]).good


@pytest.mark.parametrize("strict", [True, False])
def test_where_the_reference_has_no_number(*, strict: bool) -> None:
    """Beyond the range of floats an edge may be judged leniently, but only where the reference itself is beyond."""
    result = seen([1, 1, NAN], [INF, NAN, 1], strict=strict)
    assert result.wrong == (3 if strict else 1)
    assert result.undecided == (0 if strict else 2)


def test_one_wrong_element_among_a_million() -> None:
    reference = np.random.default_rng(0).standard_normal(1_000_000).astype(np.float32)
    value = reference.copy()
    value[123_456] += 0.01
    result = compare(value, reference, F32)
    assert (result.wrong, result.good) == (1, False)
    assert result.absolute == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint64"])
def test_integers_are_equal_or_not(dtype: str) -> None:
    top = np.iinfo(dtype).max
    assert seen([top, 0], [top, 0], dtype).good
    result = seen([top - 1, 0], [top, 0], dtype)  # equal as float64 for 64 bits
    assert (result.wrong, result.absolute) == (1, 1)
    assert compare(np.array([1], dtype), np.array([2], dtype), Tolerance.of(np.dtype(dtype), 1.0, 1.0)).wrong == 1


def test_bool_comes_as_uint8() -> None:
    reference = np.array([True, False, True])
    tolerance = Tolerance.of(reference.dtype)
    assert compare(np.array([1, 0, 1], np.uint8), reference, tolerance).good
    assert compare(np.array([2, 0, 1], np.uint8), reference, tolerance).wrong == 1
    assert compare(np.array([1, 1, 1], np.uint8), reference, tolerance).wrong == 1
    assert compare(np.array([1, 0, 1], np.int8), reference, tolerance).problem == "dtype int8 instead of bool"


@pytest.mark.parametrize(("value", "reference"), [("float64", "float32"), ("int32", "int64"), ("float32", "int32")])
def test_wrong_dtype(value: str, reference: str) -> None:
    result = compare(np.ones(3, value), np.ones(3, reference), F32)
    assert result.problem == f"dtype {value} instead of {reference}"
    assert not result.good


@pytest.mark.parametrize("shape", [(3, 2), (6,), (2, 3, 1), (1, 2, 3), (2, 2), ()])
def test_wrong_shape(shape: tuple[int, ...]) -> None:
    result = compare(np.ones(shape, np.float32), np.ones((2, 3), np.float32), F32)
    assert result.problem == f"shape {list(shape)} instead of [2, 3]"
    assert not result.good


def test_empty_arrays() -> None:
    assert seen(np.empty((0, 3)), np.empty((0, 3))).good
    assert not seen(np.empty((0, 3)), np.empty((0, 4))).good
    assert not compare(np.empty(0, np.float32), np.empty(0, np.float64), F32).good


def test_denormals() -> None:
    """Flushing them to zero is below any tolerance; taking one for a number is not."""
    tiny = float(np.finfo(np.float32).smallest_subnormal)
    assert seen([0.0], [tiny]).good
    assert seen([tiny], [0.0]).good
    assert not seen([tiny], [1.0]).good
    assert seen([0.0], [1e-310], np.float64).good
    assert seen([1e-310], [0.0], np.float64).relative == 0


def test_what_the_reference_cannot_pin_down() -> None:
    value, reference = np.array([1.0, 2.0, 3.0], np.float32), np.array([1.5, 2.0, 3.5], np.float32)
    assert compare(value, reference, F32).wrong == 2
    result = compare(value, reference, F32, np.array([1.0, 0.0, 0.0]))
    assert (result.wrong, result.undecided) == (1, 1)
    assert result.absolute == pytest.approx(0.5)
    assert compare(value, reference, F32, 1.0).undecided == 3
    assert compare(value, reference, F32, 1e-6).undecided == 0
    assert compare(np.array([NAN], np.float32), np.array([1.0], np.float32), F32, 0.0).wrong == 1


def test_noise_does_not_hide_infinities_or_integers() -> None:
    assert seen([1.0], [INF], noise=1e9).wrong == 1
    assert seen([1], [2], np.int64, noise=0.0).wrong == 1
    assert seen([1], [2], np.int64, noise=np.array([1])).undecided == 1


def test_whole_numbers_that_agree_are_judged_wherever_they_move() -> None:
    """The bits of a number, its place in an order: nudged inputs give others, and equal ones are equal."""
    assert seen([1, 2], [1, 3], np.int32, noise=np.array([1, 1])).undecided == 1
    assert seen([1.0], [1.0], noise=1.0).undecided == 1


def test_tolerances_of_the_users() -> None:
    assert Tolerance.of(np.dtype(np.float32), rtol=0.1) == Tolerance(0.1, TOLERANCES["float32"][1])
    assert Tolerance.of(np.dtype(np.float32), rtol=0.0, atol=0.0) == Tolerance(0, 0)
    assert Tolerance.of(np.dtype(np.int64), rtol=0.1, atol=1.0) == Tolerance(0, 0)
    exact = Tolerance(0, 0)
    assert compare(np.ones(2, np.float32), np.ones(2, np.float32), exact).good
    assert compare(np.nextafter(np.ones(2, np.float32), np.float32(2)), np.ones(2, np.float32), exact).wrong == 2


floats = st.lists(st.floats(width=32), min_size=1, max_size=8)


@given(floats, st.data())
def test_any_element_moved_out_of_tolerance_is_wrong(values: list[float], data: st.DataObject) -> None:
    reference = np.array(values, np.float32)
    assert compare(reference.copy(), reference, F32).good
    index = data.draw(st.integers(0, len(values) - 1))
    other = data.draw(st.floats(width=32))
    value = reference.copy()
    value[index] = other
    a, b = float(value[index]), float(reference[index])
    both_nan = np.isnan(a) and np.isnan(b)
    equal = both_nan or a == b or (np.isfinite(b) and abs(a - b) <= F32.atol + F32.rtol * abs(b))
    assert compare(value, reference, F32).good is bool(equal)


def test_what_hardly_moves_is_judged_where_it_agrees() -> None:
    """A tensor of large numbers and zeros, as behind a Relu: its noise is that of the large ones."""
    reference = np.array([0.0, 0.0, 100.0], np.float32)
    moves = np.array([0.0, 0.0, 5.0])
    assert compare(reference, reference, F32, 5.0).undecided == 3
    assert compare(reference, reference, F32, 5.0, moves=moves).undecided == 1
    off = compare(np.array([0.0, 0.5, 100.0], np.float32), reference, F32, 5.0, moves=moves)
    assert (off.wrong, off.undecided) == (0, 2)
    assert compare(np.array([0.0, 0.5, 100.0], np.float32), reference, F32, 1e-6, moves=moves * 0).wrong == 1


def test_blocks_compare_as_a_whole_does(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(7)
    reference = generator.standard_normal((3, 5, 7)).astype(np.float32)
    value = reference + np.float32(1e-5) * generator.standard_normal(reference.shape).astype(np.float32)
    value[0, 0, :3], reference[0, 0, 1:4], reference[1, 1, 1] = np.nan, np.nan, np.inf
    moves = np.abs(np.nan_to_num(reference, posinf=0)) * 1e-6
    cases: list[dict[str, Any]] = [
        {},
        {"noise": 2e-6},
        {"noise": moves, "moves": 1e-7},
        {"noise": 1e-5, "moves": moves},
    ]
    cases = [{**case, "strict": strict} for case in cases for strict in (True, False)]
    whole = [compare(value, reference, Tolerance(1e-6, 1e-6), **case) for case in cases]
    monkeypatch.setattr("sofie_bridge.compare.BLOCK", 8)
    assert [compare(value, reference, Tolerance(1e-6, 1e-6), **case) for case in cases] == whole
    assert len({(c.wrong, c.undecided) for c in whole}) > 4
