"""Single numbers that nodes compute are worked on in rows of one, where the target does not take them as they are."""

from __future__ import annotations

from rewrite.graph import Tensor, is_constant, shape_of, value
from rewrite.passes._operators import ELEMENTWISE
from rewrite.rule import NodeView, Op, Result, refuse

#: Whose further inputs are numbers without axes and nothing else.
_BOUNDED = {"Clip"}


def in_rows(op: Op, node: NodeView) -> Result:
    """y = f(a, b) becomes y = Reshape(f(Reshape(a, [1]), Reshape(b, [1])), []) for a and b without axes

    It tells no more of a number than that it is one: what the target has against the operator itself is for the rules
    that then see it of a row.

    :returns: the one output, or why the node stays; without a word where it is of no single numbers.
    """
    if not works_on_numbers(node):
        return refuse("")
    bounds = node.inputs[1:] if node.op in _BOUNDED else []
    if any(t is not None and t.inputs for t in bounds):
        return refuse("")
    rows = [None if t is None else _row(op, t) for t in node.inputs[: len(node.inputs) - len(bounds)]]
    return op.Reshape(op.build(node.op, [*rows, *bounds], node.attributes)[0], op.ints(), allowzero=0)


def works_on_numbers(node: NodeView) -> bool:
    """Does it work on single numbers, one of which a node computes, each by itself?"""
    given = [t for t in node.inputs if t is not None]
    if node.op not in ELEMENTWISE or node.domain or any(shape_of(t) != () for t in given):
        return False
    return any(t.inputs for t in given)


def _row(op: Op, number: Tensor) -> Tensor:
    """The number in a row of one: the row that it was taken out of, if there is one."""
    if is_constant(number):
        held = value(number)
        assert held is not None
        return op.const(held.reshape(1))
    maker = number.inputs[0] if number.inputs else None
    if maker is not None and maker.op in ("Reshape", "Squeeze") and shape_of(maker.inputs[0]) == (1,):
        return maker.inputs[0]
    return op.Reshape(number, op.ints(1), allowzero=0)
