"""Loops that the passes left: unrolled after all where rules settled their trips, else refused with what is open."""

from __future__ import annotations

from rewrite.control_flow import expanded
from rewrite.rule import NodeView, Op, Result, case, rule

_BODY = "<body = b (int64 i, bool c, float[3] u) => (bool d, float[3] v) { d = Identity(c) v = Neg(u) }>"


@rule(
    "Loop",
    cases=[
        case(
            f"(float[3] x, int64 n) => (float[3] y) <bool t = {{1}}> {{ y = Loop{_BODY} (n, t, x) }}",
            refuses="the trip count is not known before the model runs",
        ),
        case(
            f"(float[3] x, bool t) => (float[3] y) <int64 n = {{3}}> {{ y = Loop{_BODY} (n, t, x) }}",
            refuses="whether it runs at all is not known before the model runs",
        ),
        case(
            f"(float[3] x) => (float[3] y) <int64 n = {{30000}}, bool t = {{1}}> {{ y = Loop{_BODY} (n, t, x) }}",
            refuses="unrolled it would be 30000 times 2 nodes, more than 20000",
        ),
        case(
            """(float[3] x) => (float[3] y) <int64 n = {3}, bool t = {1}, float h = {9}> {
            y = Loop<body = b (int64 i, bool c, float[3] u) => (bool d, float[3] v)
            { v = Exp(u) s = ReduceSum<keepdims=0>(v) d = Less(s, h) }> (n, t, x) }""",
            refuses="whether it goes on after trip 1 is not known before the model runs",
        ),
        case(
            """(float[3] x, bool q) => (float[3] y) <int64 n = {3}, bool t = {1}> {
            y = Loop<body = b (int64 i, bool c, float[3] u) => (bool d, float[3] v)
            { d = Identity(c) v = If(q) <then_branch = p () => (float[3] k) { k = Neg(u) },
            else_branch = e () => (float[3] l) { l = Div(u, u) }> }> (n, t, x) }""",
            refuses="If inside it: its condition is not known before the model runs, and a branch",
        ),
    ],
)
def loop_to_its_trips(op: Op, node: NodeView) -> Result:
    """Loop(n, c, v) = body(n - 1, c, … body(0, c, v)), n and c constant or computed from constants in the body"""
    return expanded(op, node)


@rule(
    "Scan",
    cases=[
        case(
            """(float[2] s, float[N,2] x) => (float[2] y, float[N,2] z) {
            y, z = Scan<num_scan_inputs = 1, body = b (float[2] t, float[2] e) => (float[2] v, float[2] w)
            { v = Add(t, e) w = Neg(v) }> (s, x) }""",
            refuses="the size of the axis it scans is not known before the model runs",
        ),
    ],
)
def scan_to_its_trips(op: Op, node: NodeView) -> Result:
    """Scan(v, x) = body(x[n - 1], … body(x[0], v)), n the known size of the axis of x"""
    return expanded(op, node)


def _if(then: str, other: str, shape: str = "3") -> str:
    y, k, n = (f"float[{shape}] {name}" for name in "ykl")
    branches = f"then_branch = p () => ({k}) {{ {then} }}, else_branch = e () => ({n}) {{ {other} }}"
    return f"(float[3] x, bool c) => ({y}) {{ y = If(c) <{branches}> }}"


@rule(
    "If",
    cases=[
        case(_if("k = Neg(x)", "l = Exp(x)")),
        case(_if("m = Neg(x) k = Concat<axis=0>(m, x)", "l = Concat<axis=0>(x, x)", "6")),
        case(_if("k = Neg(x)", "l = Div(x, x)"), refuses="a branch that is not taken may divide by zero"),
        case(_if("k = Neg(x)", "l = Concat<axis=0>(x, x)", "N"), refuses="its branches give different shapes"),
    ],
)
def if_to_where(op: Op, node: NodeView) -> Result:
    """If(c; a, b) = Where(c, a, b), both computed, where neither can fail"""
    return expanded(op, node)
