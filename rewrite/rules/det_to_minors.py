"""Determinants of small matrices."""

from __future__ import annotations

from itertools import combinations

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._shapes import reshaped

#: Larger ones take elimination with pivots; the expansion by minors grows as the factorial.
LARGEST = 4


@rule("Det", cases=[
    case("(float[2,2] x) => (float y) { y = Det(x) }", rtol=1e-4, atol=200.0),
    case("(float[3,1,1] x) => (float[3] y) { y = Det(x) }"),
    case("(float[2,3,2,2] x) => (float[2,3] y) { y = Det(x) }", rtol=1e-4, atol=200.0),
    case("(float[N,2,2] x) => (float[N] y) { y = Det(x) }", rtol=1e-4, atol=200.0),
    case("(float[2,3,3] x) => (float[2] y) { y = Det(x) }", rtol=1e-4, atol=1e7),
    case("(float[2,4,4] x) => (float[2] y) { y = Det(x) }", rtol=1e-4, atol=1e12),
    case("(float[2,5,5] x) => (float[2] y) { y = Det(x) }", refuses="rows"),
    case("(float[2,N,N] x) => (float[2] y) { y = Det(x) }", refuses="fixed"),
])  # fmt: skip
def det_to_minors(op: Op, node: NodeView) -> Result:
    """det x = sum_j (-1)^j x_0j det x_(0j), x_(0j) being x without row 0 and column j"""
    shape = op.shape(node.x)
    size = shape[-1] if shape else "?"
    if shape is None or isinstance(size, str):
        return refuse("it needs a fixed number of rows")
    if size > LARGEST or not size:
        return refuse(f"of {size} rows the determinant takes elimination with pivots")
    flat = reshaped(op, node.x, (*shape[:-2], size * size))
    if flat is None:
        return refuse("it needs fixed sizes")
    last = len(shape) - 2
    entries = [op.Gather(flat, op.ints(i), axis=last) for i in range(size * size)]
    minors: dict[tuple[int, ...], Tensor] = {(c,): entries[(size - 1) * size + c] for c in range(size)}
    for order in range(2, size + 1):
        row = entries[(size - order) * size :]
        minors |= {c: _expanded(op, row, c, minors) for c in combinations(range(size), order)}
    result = reshaped(op, minors[tuple(range(size))], shape[:-2])
    return refuse("it needs fixed sizes") if result is None else result


def _expanded(op: Op, row: list[Tensor], columns: tuple[int, ...], minors: dict[tuple[int, ...], Tensor]) -> Tensor:
    """The minor of ``columns`` from those of one row less."""
    total: Tensor = None
    for j, column in enumerate(columns):
        part = op.Mul(row[column], minors[columns[:j] + columns[j + 1 :]])
        total = part if total is None else op.Sub(total, part) if j % 2 else op.Add(total, part)
    return total
