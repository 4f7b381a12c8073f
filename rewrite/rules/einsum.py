"""Einsum of any equation, as products of matrices."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from rewrite.graph import Tensor, shape_of
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule
from rewrite.rules._shapes import fixed, reshaped

#: A dimension's name: a letter of the equation, or one counted from the right for what an ellipsis stands for.
Label = str


@dataclass(frozen=True)
class Term:
    """A tensor and the names of its dimensions."""

    tensor: Tensor
    labels: tuple[Label, ...]

    def size(self, label: Label) -> int | str:
        dimension: int | str = (shape_of(self.tensor) or ())[self.labels.index(label)]
        return dimension


@rule("Einsum", cases=[
    case('(float[2,3] x, float[3,4] z) => (float[4,2] y) { y = Einsum<equation="ij,jk->ki">(x, z) }'),
    case('(float[2,3,4] x, float[2,4,5] z) => (float[2,3,5] y) { y = Einsum<equation="...ij,...jk">(x, z) }'),
    case('(float[2,1,3,4] x, float[1,5,4,3] z) => (float[2,5,3,3] y) { y = Einsum<equation="...ij, ...jk">(x, z) }'),
    case('(float[2,3,4,5] x, float[2,3,6,5] z) => (float[2,3,4,6] y) { y = Einsum<equation="bhqd,bhkd->bhqk">(x, z) }'),
    case('(float[2,4,3,5] x, float[2,6,3,5] z) => (float[2,3,4,6] y) { y = Einsum<equation="bqhd,bkhd->bhqk">(x, z) }'),
    case('(float[N,4,3,5] x, float[N,6,3,5] z) => (float[N,3,4,6] y) { y = Einsum<equation="bqhd,bkhd->bhqk">(x, z) }'),
    case('(float[N,4,3] x, float[3,5] z) => (float[N,4,5] y) { y = Einsum<equation="nij,jk->nik">(x, z) }'),
    case('(float[N,4,3] x, float[3,2,2] z) => (float[N,4,2,2] y) { y = Einsum<equation="nij,jkl->nikl">(x, z) }'),
    case('(float[N,4,3] x, float[3,4] z) => (float[N] y) { y = Einsum<equation="nij,ji->n">(x, z) }'),
    case('(float[2,3,4] x) => (float[4,3] y) { y = Einsum<equation="abc->cb">(x) }'),
    case('(float[3,3] x) => (float y) { y = Einsum<equation="ii">(x) }'),
    case('(float[2,3,3] x) => (float[2,3] y) { y = Einsum<equation="...ii->...i">(x) }'),
    case('(float[3,3,3] x) => (float[3] y) { y = Einsum<equation="iii->i">(x) }'),
    case('(float[3] x, float[3] z) => (float y) { y = Einsum<equation="i,i->">(x, z) }'),
    case('(float[2,3] x, float[2,4] z) => (float[4,2,3] y) { y = Einsum<equation="ai,aj->jai">(x, z) }'),
    case('(float[2,3] x, float[2,3] z) => (float[2,3] y) { y = Einsum<equation="ij,ij->ij">(x, z) }'),
    case('(float[2,3] x, float[3,4] z, float[4,5] w) => (float[2,5] y) { y = Einsum<equation="ij,jk,kl">(x, z, w) }'),
    case('(float[5,2] x, float[4,2,3] z, float[5,3] w) => (float[5,4] y) '
         '{ y = Einsum<equation="bn, anm, bm -> ba">(x, z, w) }'),
    case('(int64[2,3] x, int64[3,4] z) => (int64[2,4] y) { y = Einsum<equation="ij,jk">(x, z) }'),
    case('(float[A,3] x, float[B,3] z) => (float[A] y) { y = Einsum<equation="ij,ij->i">(x, z) }', refuses="sizes"),
    case('(float[2,N,N] x) => (float[2,N] y) { y = Einsum<equation="bii->bi">(x) }', refuses="diagonal"),
])  # fmt: skip
def einsum_to_matmul(op: Op, node: NodeView) -> Result:
    """Einsum(a, b, ...) = MatMul of pairs from the left, each summing what no later operand and no output needs"""
    parsed = _parsed(node)
    if isinstance(parsed, Refusal):
        return parsed
    terms, output = parsed
    joined: Term | None = None
    for i, term in enumerate(terms):
        later = {label for t in terms[i + 1 :] for label in t.labels} | set(output)
        beside = set() if joined is None else set(joined.labels)
        reduced = _diagonal(op, term)
        if isinstance(reduced, Refusal):
            return reduced
        reduced = _summed(op, _squeezed(op, reduced, terms), later | beside)
        product = reduced if joined is None else _product(op, joined, reduced, later)
        if product is None:
            return refuse("sizes that are not known cannot be reshaped")
        joined = _summed(op, product, later)
    assert joined is not None
    return _ordered(op, joined, output).tensor if joined.labels else joined.tensor


def _parsed(node: NodeView) -> tuple[list[Term], tuple[Label, ...]] | Refusal:
    left, arrow, right = node.attr("equation").replace(" ", "").partition("->")
    terms: list[Term] = []
    for text, tensor in zip(left.split(","), node.inputs, strict=True):
        shape = shape_of(tensor)
        if shape is None:
            return refuse("the rank of an operand is not known")
        terms.append(Term(tensor, _labels(text, len(shape) - len(text.replace("...", "")))))
    if any(len(t.labels) != len(shape_of(t.tensor) or ()) for t in terms):
        return refuse("the equation does not fit the ranks")
    sizes: dict[Label, set[int | str]] = {}
    for term in terms:
        for label, dimension in zip(term.labels, shape_of(term.tensor) or (), strict=True):
            sizes.setdefault(label, set()).add(dimension)
    if any(len(seen - {1}) > 1 for seen in sizes.values()):
        return refuse("sizes of equal letters differ, or are not known to be equal")
    counts = Counter(label for t in terms for label in t.labels)
    hidden = max((sum(len(label) > 1 for label in t.labels) for t in terms), default=0)
    if arrow:
        return terms, _labels(right, hidden)
    return terms, (*_labels("...", hidden), *sorted(k for k, n in counts.items() if n == 1 and len(k) == 1))


def _labels(text: str, hidden: int) -> tuple[Label, ...]:
    """The names of a term's dimensions; those of an ellipsis, ``hidden`` in number, line up at the right."""
    front, dots, back = text.partition("...")
    between = [f"...{i}" for i in reversed(range(hidden))] if dots else []
    return (*front, *between, *back)


def _diagonal(op: Op, term: Term) -> Term | Refusal:
    """Of a letter that stands twice, the diagonal: every (n + 1)th element of the two dimensions laid out as one."""
    twice = next((k for k, n in Counter(term.labels).items() if n > 1), None)
    if twice is None:
        return term
    n = term.size(twice)
    first = term.labels.index(twice)
    second = term.labels.index(twice, first + 1)
    if not isinstance(n, int):
        return refuse(f"the diagonal of {n} by {n} elements, a number not known before the model runs")
    rest = [i for i in range(len(term.labels)) if i not in (first, second)]
    turned = op.Transpose(term.tensor, perm=[*rest, first, second])
    flat = _reshaped(op, turned, (*(shape_of(turned) or ())[:-2], n * n))
    if flat is None:
        return refuse("sizes that are not known cannot be reshaped")
    taken = op.Gather(flat, op.const(np.arange(n) * (n + 1), np.int64), axis=len(rest))
    return _diagonal(op, Term(taken, (*(term.labels[i] for i in rest), twice)))


def _squeezed(op: Op, term: Term, terms: list[Term]) -> Term:
    """Without the dimensions of size 1 that broadcast against more of another term."""
    sizes = {k: t.size(k) for t in terms for k in t.labels if t.size(k) != 1}
    drop = [i for i, k in enumerate(term.labels) if term.size(k) == 1 and k in sizes]
    if not drop:
        return term
    return Term(op.Squeeze(term.tensor, op.ints(*drop)), tuple(k for i, k in enumerate(term.labels) if i not in drop))


def _summed(op: Op, term: Term, needed: set[Label]) -> Term:
    drop = [i for i, k in enumerate(term.labels) if k not in needed]
    if not drop:
        return term
    total = op.ReduceSum(term.tensor, op.ints(*drop), keepdims=0, noop_with_empty_axes=0)
    return Term(total, tuple(k for k in term.labels if k in needed))


def _product(op: Op, a: Term, b: Term, later: set[Label]) -> Term | None:
    both = [k for k in a.labels if k in b.labels]
    stack = [k for k in both if k in later]
    over = [k for k in both if k not in later]
    rows = [k for k in a.labels if k not in both]
    columns = [k for k in b.labels if k not in both]
    if not over:
        everything = (*stack, *rows, *columns)
        return Term(op.Mul(_spread(op, a, everything), _spread(op, b, everything)), everything)
    if not stack and len(rows) > 1 and isinstance(_merged(a, rows), str):  # rows can be a stack for the one matrix b
        left = _matrix(op, a, rows[:-1], rows[-1:], over)
    else:
        left = _matrix(op, a, stack, rows, over)
    right = _matrix(op, b, stack, over, columns)
    if left is None or right is None:
        return None
    after = (*(a.size(k) for k in (*stack, *rows)), *(b.size(k) for k in columns))
    result = _reshaped(op, op.MatMul(left, right), after)
    return None if result is None else Term(result, (*stack, *rows, *columns))


def _spread(op: Op, term: Term, everything: tuple[Label, ...]) -> Tensor:
    """The term in the order of ``everything``, with a dimension of size 1 for each name that it lacks."""
    ordered = _ordered(op, term, tuple(k for k in everything if k in term.labels)).tensor
    lacking = [i for i, k in enumerate(everything) if k not in term.labels]
    return op.Unsqueeze(ordered, op.ints(*lacking)) if lacking else ordered


def _matrix(op: Op, term: Term, stack: list[Label], rows: list[Label], columns: list[Label]) -> Tensor | None:
    """The term as a stack of matrices, rows and columns laid out as one dimension each; None if that fails."""
    tensor = _ordered(op, term, (*stack, *rows, *columns)).tensor
    return _reshaped(op, tensor, (*(term.size(k) for k in stack), _merged(term, rows), _merged(term, columns)))


def _merged(term: Term, group: list[Label]) -> int | str:
    sizes = [term.size(k) for k in group]
    if len(sizes) == 1 or all(isinstance(s, int) for s in sizes):
        return sizes[0] if len(sizes) == 1 else fixed(tuple(sizes))
    return "*".join(map(str, sizes))


def _reshaped(op: Op, x: Tensor, after: tuple[int | str, ...]) -> Tensor | None:
    before = shape_of(x) or ()
    if before == after:
        return x
    symbols = [d for d in after if isinstance(d, str)]
    if len(symbols) != 1 or symbols[0] in before:
        return reshaped(op, x, after)
    made = op.Reshape(x, op.ints(*(d if isinstance(d, int) else -1 for d in after)), allowzero=0)
    made.shape = after
    return made


def _ordered(op: Op, term: Term, labels: tuple[Label, ...]) -> Term:
    if term.labels == labels:
        return term
    return Term(op.Transpose(term.tensor, perm=[term.labels.index(k) for k in labels]), labels)
