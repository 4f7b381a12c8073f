"""Operators that passes take out before any rule is asked, for the table of ``python -m convert --operators``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TakenOut:
    """When a pass takes an operator out.

    :param when: the end of a sentence, after "taken out".
    :param example: a graph, as ONNX text, of which nothing of the operator is left.
    """

    when: str
    example: str


def _sequence(known: str, text: str) -> TakenOut:
    return TakenOut(f"where {known}", f"(float[2] a, float[2] b) => (float[4] y) <int64 k = {{1}}> {{ {text} }}")


TAKEN_OUT = {
    "Constant": TakenOut(
        "as an initializer", "(float[3] x) => (float[3] y) { c = Constant<value_float=2.0>() y = Mul(x, c) }"
    ),
    "Dropout": TakenOut("at inference", "(float[3] x) => (float[3] y) { a = Dropout(x) y = Neg(a) }"),
    "Identity": TakenOut(
        "but where it joins an input to an output", "(float[3] x) => (float[3] y) { a = Identity(x) y = Neg(a) }"
    ),
    "If": TakenOut(
        "where the condition is constant",
        """(float[3] x) => (float[3] y) <bool c = {1}> { y = If(c)
           <then_branch = t () => (float[3] a) { a = Neg(x) }, else_branch = e () => (float[3] b) { b = Abs(x) }> }""",
    ),
    "Loop": TakenOut(
        "where the trip count is known",
        """(float[3] x) => (float[3] y) <int64 n = {2}, bool t = {1}> { y = Loop <body = b (int64 i, bool c, float[3] u)
           => (bool d, float[3] v) { d = Identity(c) v = Exp(u) }> (n, t, x) }""",
    ),
    "Scan": TakenOut(
        "where the length of what it scans is known",
        """(float[2] s, float[3,2] x) => (float[2] y) { y = Scan <num_scan_inputs = 1, body = b (float[2] u, float[2] e)
           => (float[2] v) { v = Add(u, e) }> (s, x) }""",
    ),
    "SequenceConstruct": _sequence(
        "its readers are taken out", "s = SequenceConstruct(a, b) y = ConcatFromSequence<axis=0>(s)"
    ),
    "SequenceEmpty": _sequence(
        "its readers are taken out",
        "e = SequenceEmpty() s = SequenceInsert(e, a) t = SequenceInsert(s, b) y = ConcatFromSequence<axis=0>(t)",
    ),
    "SequenceInsert": _sequence(
        "the sequence and the position are known",
        "e = SequenceConstruct(a) s = SequenceInsert(e, b, k) y = ConcatFromSequence<axis=0>(s)",
    ),
    "SequenceErase": _sequence(
        "the sequence and the position are known",
        "e = SequenceConstruct(a, a, b) s = SequenceErase(e, k) y = ConcatFromSequence<axis=0>(s)",
    ),
    "SequenceAt": _sequence(
        "the sequence and the position are known",
        "s = SequenceConstruct(a, b) t = SequenceAt(s, k) y = Concat<axis=0>(a, t)",
    ),
    "SequenceLength": _sequence(
        "the sequence is known",
        "s = SequenceConstruct(a, b) n = SequenceLength(s) f = CastLike(n, a) t = Mul(a, f) y = Concat<axis=0>(t, b)",
    ),
    "SequenceMap": _sequence(
        "the sequence is known",
        "s = SequenceConstruct(a, b) t = SequenceMap <body = m (float[2] e) => (float[2] g) { g = Neg(e) }> (s)"
        " y = ConcatFromSequence<axis=0>(t)",
    ),
    "ConcatFromSequence": _sequence(
        "the sequence is known", "s = SequenceConstruct(a, b) y = ConcatFromSequence<axis=0>(s)"
    ),
    "SplitToSequence": _sequence(
        "the sizes of the parts are known",
        "c = Concat<axis=0>(a, b) s = SplitToSequence(c, k) y = ConcatFromSequence<axis=0>(s)",
    ),
    "Optional": _sequence(
        "its reader is taken out", "o = Optional(a) t = OptionalGetElement(o) y = Concat<axis=0>(t, b)"
    ),
    "OptionalGetElement": _sequence(
        "the value is known to be there", "o = Optional(a) t = OptionalGetElement(o) y = Concat<axis=0>(t, b)"
    ),
    "Shape": TakenOut("where it is known", "(float[3] x, int64[1] z) => (int64[1] y) { s = Shape(x) y = Add(s, z) }"),
    "Size": TakenOut("where it is known", "(float[3] x, int64 z) => (int64 y) { s = Size(x) y = Add(s, z) }"),
}
