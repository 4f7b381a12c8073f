"""Sizes in the generated code: from ONNX's names of open dimensions to C++ in terms of what ``infer`` is given."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from convert.dimensions import expression
from convert.errors import EmitError

if TYPE_CHECKING:
    import sympy


class Sizes:
    """What each open dimension is, as an expression of C++ names."""

    def __init__(self) -> None:
        self._known: dict[str, sympy.Expr] = {}

    def learn(self, dim: str, found: Any) -> None:
        """From now on ``dim`` is that; what is known already stays."""
        self._known.setdefault(dim, found)

    def of(self, dim: int | str, where: str = "") -> Any:
        """An int, or an expression of C++ names.

        :raises EmitError: nothing is known of it.
        """
        if isinstance(dim, int):
            return dim
        if dim in self._known:
            return self._known[dim]
        written = expression(dim)
        names = {s: self._known.get(s.name) for s in written.free_symbols}
        if written.is_Symbol or any(n is None for n in names.values()):
            what = f"the size {dim!r} is not known outside of the part that makes it"
            raise EmitError(what, where=where, advice="report this with the model")
        return settled(written.subs(names, simultaneous=True))


def name(cpp: str) -> Any:
    """A C++ name to calculate with."""
    return expression(cpp)


def read(text: str, names: Mapping[str, Any]) -> Any | None:
    """A size as SOFIE writes it, ``(N + M) / 2``, with expressions for its names; None for what is no arithmetic."""
    try:
        return settled(_value(ast.parse(text.strip().replace("std::", ""), mode="eval").body, names))
    except (SyntaxError, KeyError, RecursionError, ZeroDivisionError):
        return None


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    import sympy

    operators: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
        ast.Add: lambda a, b: a + b,
        ast.Sub: lambda a, b: a - b,
        ast.Mult: lambda a, b: a * b,
        ast.Div: lambda a, b: sympy.floor(sympy.sympify(a) / b),  # C++'s, of what is not negative
        ast.Mod: lambda a, b: sympy.Mod(a, b),
    }
    match node:
        case ast.Constant(value=int(number)):
            return sympy.Integer(number)
        case ast.Name(id=name_):
            return sympy.sympify(names[name_])
        case ast.BinOp(left=left, op=op, right=right):
            return operators[type(op)](_value(left, names), _value(right, names))
        case ast.Call(func=ast.Name(id="min" | "max" as which), args=[_, *_] as args, keywords=[]):
            return (sympy.Min if which == "min" else sympy.Max)(*(_value(a, names) for a in args))
    raise KeyError(type(node).__name__)


def settled(found: Any) -> Any:
    import sympy

    found = sympy.expand(sympy.sympify(found))
    return int(found) if found.is_Integer else found


def cpp(size: Any, names: Mapping[str, str] | None = None, *, plain: bool = False) -> str:
    """The size as C++, of unsigned arithmetic.

    :param names: what stands for some of its names. :param plain: as SOFIE's tables of dimensions have it.
    """
    text = _Printer(names or {}, plain=plain).text(size)
    return text[1:-1] if _is_enclosed(text) else text


def _is_enclosed(text: str) -> bool:
    """Is all of it in one pair of parentheses?"""
    depths = [text[:k].count("(") - text[:k].count(")") for k in range(1, len(text))]
    return text.startswith("(") and min(depths, default=0) > 0


class _Printer:
    def __init__(self, names: Mapping[str, str], *, plain: bool) -> None:
        self.names = names
        self.plain = plain

    def text(self, size: Any) -> str:
        import sympy

        size = sympy.sympify(size)
        match size:
            case sympy.Integer():
                return str(int(size))
            case sympy.Symbol():
                return self.names.get(size.name, str(size.name))
            case sympy.Add():
                terms = size.as_ordered_terms()
                plus = [t for t in terms if not t.could_extract_minus_sign()]
                minus = [-t for t in terms if t.could_extract_minus_sign()]
                return "(" + " + ".join(map(self.text, plus)) + "".join(f" - {self.text(t)}" for t in minus) + ")"
            case sympy.Mul():
                above, below = sympy.fraction(size)
                return self._quotient(above, below) if below != 1 else self._product(size.args)
            case sympy.Pow() if size.exp.is_Integer and size.exp > 0:
                return self._product([size.base] * int(size.exp))
            case sympy.floor():
                return self._quotient(*sympy.fraction(sympy.together(size.args[0])))
            case sympy.ceiling():
                above, below = sympy.fraction(sympy.together(size.args[0]))
                return self._quotient(above + below - 1, below)
            case sympy.Mod():
                return f"({self.text(size.args[0])} % {self.text(size.args[1])})"
            case sympy.Max() | sympy.Min():
                which = "max" if isinstance(size, sympy.Max) else "min"
                inner = ", ".join(map(self.text, size.args))
                return f"std::{which}({inner})" if self.plain else f"std::{which}<std::size_t>({{{inner}}})"
        raise EmitError(f"the size {size} has no C++", advice="use + - * // % and sympy's Max and Min")

    def _product(self, factors: Sequence[Any]) -> str:
        return "(" + " * ".join(map(self.text, factors)) + ")"

    def _quotient(self, above: Any, below: Any) -> str:
        return f"({self.text(above)} / {self.text(below)})"


def largest(size: Any) -> Any:
    """A size that ``size`` does not exceed while its names do not exceed theirs: sums without what is taken off."""
    import sympy

    size = sympy.sympify(size)
    match size:
        case sympy.Add():
            return sympy.Add(*(largest(t) for t in size.args if not t.could_extract_minus_sign()))
        case sympy.Mod():
            return size.args[1] - 1 if size.args[1].is_Integer else largest(size.args[0])
        case sympy.floor() | sympy.ceiling() | sympy.Max() | sympy.Min():
            return size.func(*(largest(a) for a in size.args))
        case sympy.Mul():
            above, below = sympy.fraction(size)
            return sympy.Mul(*(largest(f) for f in sympy.Mul.make_args(above))) / below
    return size
