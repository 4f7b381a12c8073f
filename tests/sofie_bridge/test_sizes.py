from __future__ import annotations

import pytest

from sofie_bridge.sizes import evaluate, settle


@pytest.mark.parametrize(
    ("expression", "value"),
    [("(N + M)", 7), ("N * 2", 6), ("(N-2)", 1), ("(M + 1)/2", 2), ("std::max(N,M)", 4), ("N", 3), ("12", 12)],
)
def test_arithmetic(expression: str, value: int) -> None:
    assert evaluate(expression, {"N": 3, "M": 4}) == value


@pytest.mark.parametrize(
    "expression", ["K", "N / 0", "__import__('os')", "N.real", "N if N else M", "N ** 9", "((", ""]
)
def test_all_else_is_unknown(expression: str) -> None:
    assert evaluate(expression, {"N": 3, "M": 4}) is None


def test_settle() -> None:
    assert settle(("N", 3), {"N": 2}, 6) == (2, 3)
    assert settle(("N", 3), {"N": 2}, 7) is None
    assert settle((2, "K"), {}, 8) == (2, 4)
    assert settle((2, "K"), {}, 7) is None
    assert settle(("J", "K"), {}, 7) == (7,)
    assert settle((0, "K"), {}, 0) == (0,)
    assert settle((), {}, 1) == ()
