"""Sizes in C++: printed, read, and bounded from above."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from convert.dimensions import dimension, expression
from convert.errors import EmitError
from sofie_bridge.sizes import evaluate
from sofie_bridge.stages.sizes import Sizes, cpp, largest, read

N, M = expression("N"), expression("M")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (3, "3"),
        (N, "N"),
        (N * 2 + M, "M + (2 * N)"),
        (N - 3, "N - 3"),
        (N // 2, "N / 2"),
        ((N + 1) // 2, "(N + 1) / 2"),
        (N * M, "M * N"),
        (N**2, "N * N"),
        (N % 4, "N % 4"),
        (sympy.ceiling(N / 2), "(N + 1) / 2"),
        (sympy.Max(N, M), "std::max<std::size_t>({M, N})"),
    ],
)
def test_cpp(size: object, text: str) -> None:
    assert cpp(size) == text


def test_what_has_no_cpp_is_refused() -> None:
    with pytest.raises(EmitError, match="has no C"):
        cpp(sympy.sqrt(N))


@pytest.mark.parametrize("text", ["N", "N * 3", "(N + M) / 2", "N - 1", "(N % 4)", "std::max(N, M)"])
def test_what_sofie_writes_is_read_as_it_means(text: str) -> None:
    found = read(text, {"N": N, "M": M})
    assert found is not None
    for n, m in ((1, 1), (7, 4), (12, 5)):
        assert int(found.subs({N: n, M: m})) == evaluate(text, {"N": n, "M": m})


@pytest.mark.parametrize("text", ["v_NonZero_x", "N +", "f(N)", "N.a"])
def test_what_is_no_arithmetic_is_not_read(text: str) -> None:
    assert read(text, {"N": N}) is None


_leaves = st.sampled_from([N, M, sympy.Integer(1), sympy.Integer(3)])
_sizes = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: p[0] + p[1]),
        st.tuples(inner, inner).map(lambda p: p[0] * p[1]),
        st.tuples(inner, st.sampled_from([2, 3])).map(lambda p: p[0] // p[1]),
        st.tuples(inner, st.sampled_from([2, 3])).map(lambda p: p[0] % p[1]),
        st.tuples(inner, inner).map(lambda p: sympy.Max(p[0], p[1])),
        st.tuples(inner, inner).map(lambda p: p[0] - p[1]),
    ),
    max_leaves=4,
)


@given(_sizes, st.integers(0, 6), st.integers(0, 6), st.integers(0, 6), st.integers(0, 6))
def test_the_largest_is_never_less(size: sympy.Expr, n: int, m: int, more: int, yet: int) -> None:
    now = size.subs({N: n, M: m})
    if now >= 0:  # else it is no size
        assert largest(size).subs({N: n + more, M: m + yet}) >= now


def test_a_size_is_known_by_its_text() -> None:
    sizes = Sizes()
    sizes.learn("batch", expression("N"))
    twice = dimension(expression("batch") * 2)
    assert twice == "2*batch"
    assert cpp(sizes.of(twice)) == "2 * N"
    with pytest.raises(EmitError, match="is not known"):
        sizes.of("other")


@pytest.mark.parametrize("size", [-1, 0.5, None])
def test_no_sizes(size: object) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        dimension(size)
