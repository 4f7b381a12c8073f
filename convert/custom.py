"""Operators of a user's own, in C++: declared once, in Python.

A declaration says which ONNX node it is for, where its C++ is, and what the node gives: a function of its inputs
(dtypes and shapes) and, behind ``*``, its attributes. A NumPy implementation is what the C++ is held against::

    from convert.custom import custom_operator

    @custom_operator("mylib::Swish", header="swish.hpp")
    def swish(x, *, beta=1.0):
        return x  # an output of x's dtype and shape

    @swish.numpy
    def _(x, *, beta=1.0):
        return x / (1 + np.exp(-beta * x))

A user's file with such declarations is named with ``--custom-operators my_ops.py``. docs/custom-operators.md has the
C++ side.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from convert.attempt import Attempt, raised_at
from convert.dimensions import Counted as Counted
from convert.errors import BadOperator
from convert.spec import DTYPES

#: Keyword for a parameter of a shape function: an attribute that the node must have.
REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Tensor:
    """A tensor as a shape function sees and gives it.

    :param dtype: "float32", "int64", ...
    :param shape: sizes: numbers, expressions of open dimensions, or ``Counted``.
    :param value: the numbers as a NumPy array, where the tensor is a constant of the model.
    """

    dtype: str
    shape: tuple[Any, ...]
    value: Any = field(default=None, compare=False, repr=False)

    def like(self, *, dtype: str | None = None, shape: Sequence[Any] | None = None) -> Tensor:
        """The same but for what is given."""
        return Tensor(dtype or self.dtype, tuple(self.shape if shape is None else shape))


@dataclass
class CustomOperator:
    """One declaration.

    :param domain: of the ONNX node. :param name: its op_type.
    :param cpp: what has ``Compute`` in C++: a namespace, class or struct.
    :param header: the file to include; None where ``code`` has the C++ itself.
    :param shapes: the shape function. :param place: where that is, for messages.
    :param reference: the NumPy implementation: arrays in, an array or a tuple of them out.
    """

    domain: str
    name: str
    cpp: str
    header: Path | None
    code: str
    shapes: Callable[..., Any]
    place: str
    reference: Callable[..., Any] | None = None

    @property
    def full_name(self) -> str:
        return f"{self.domain}::{self.name}"

    def numpy(self, function: Callable[..., Any]) -> CustomOperator:
        """The function is its NumPy implementation; a decorator."""
        self.reference = function
        return self

    def attributes(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The node's attributes, in the declaration's order, and the declaration's defaults for those that it lacks.

        :raises BadOperator: attributes that the shape function does not name, or that are missing.
        """
        wanted = {
            n: p.default for n, p in inspect.signature(self.shapes).parameters.items() if p.kind is p.KEYWORD_ONLY
        }
        strange, missing = (
            sorted(set(given) - set(wanted)),
            [n for n, d in wanted.items() if n not in given and d is REQUIRED],
        )
        if strange or missing:
            why = f"the node has {', '.join(strange)}" if strange else f"the node lacks {', '.join(missing)}"
            raise BadOperator(
                f"the attributes of {self.full_name} are not those of its declaration",
                where=self.place,
                why=why,
                advice=f"the shape function takes {', '.join(wanted) or 'none'} behind its *",
            )
        return {n: given.get(n, d) for n, d in wanted.items()}

    def outputs(self, inputs: Sequence[Tensor | None], attributes: Mapping[str, Any]) -> tuple[Tensor, ...]:
        """What a node gives. :param inputs: None for one that is left out.

        :raises BadOperator: what the shape function raised, or that it gave no tensors.
        """
        with Attempt() as attempt:
            given = self.shapes(*inputs, **self.attributes(attributes))
        if attempt.error is not None:
            what = f"the shape function of {self.full_name} failed"
            error = attempt.error
            raise BadOperator(what, where=raised_at(error), why=f"{type(error).__name__}: {error}") from error
        found = tuple(given) if isinstance(given, tuple | list) else (given,)
        wrong = next((t for t in found if not isinstance(t, Tensor) or t.dtype not in DTYPES), None)
        if wrong is not None or not found:
            raise BadOperator(
                f"the shape function of {self.full_name} gives {wrong!r}",
                where=self.place,
                advice='give convert.custom.Tensor("float32", (2, x.shape[0])), or a tuple of such',
            )
        return tuple(replace(t, shape=tuple(t.shape), value=None) for t in found)


#: Declarations by domain and name.
_OPERATORS: dict[tuple[str, str], CustomOperator] = {}


def declared(domain: str, name: str) -> CustomOperator | None:
    """The declaration for such nodes."""
    return _OPERATORS.get((domain, name)) if domain else None


def all_declared() -> list[CustomOperator]:
    return list(_OPERATORS.values())


def custom_operator(
    operator: str, *, header: str | os.PathLike[str] = "", code: str = "", cpp: str = ""
) -> Callable[[Callable[..., Any]], CustomOperator]:
    """The function tells the outputs of a C++ operator from its inputs and attributes.

    :param operator: domain and name of the ONNX node, "mylib::Swish"; for PyTorch as in ``torch.ops``.
    :param header: the C++ file, relative to the Python file of the function. :param code: or the C++ itself.
    :param cpp: the namespace or class that has ``Compute``; by default the operator's name.
    :raises BadOperator: no such file, neither or both of ``header`` and ``code``, or a name that is none.
    """

    def register(function: Callable[..., Any]) -> CustomOperator:
        source = function.__code__
        place = f"{source.co_filename}:{source.co_firstlineno}"
        domain, _, name = operator.rpartition("::")
        if not domain or not name:
            raise BadOperator(f"{operator!r} is no operator", where=place, advice='write "mylib::Swish"')
        if bool(header) == bool(code):
            raise BadOperator(f"{operator} needs its C++", where=place, advice="give header= or code=, one of them")
        path = Path(source.co_filename).resolve().parent / Path(header).expanduser() if header else None
        if path is not None and not path.is_file():
            raise BadOperator(f"the header of {operator} is not there", where=place, why=f"no such file: {path}")
        made = CustomOperator(domain, name, cpp or name, path, code, function, place)
        _add(made)
        return made

    return register


def _add(made: CustomOperator) -> None:
    held = _OPERATORS.get((made.domain, made.name))
    if held is not None and held.place != made.place:
        raise BadOperator(f"{made.full_name} is declared twice", where=f"{held.place} and {made.place}")
    _OPERATORS[made.domain, made.name] = made


@contextmanager
def declared_for(operators: Iterable[CustomOperator] = ()) -> Iterator[None]:
    """Context in which these, and what is declared inside it, are there."""
    held = dict(_OPERATORS)
    try:
        for operator in operators:
            _add(operator)
        yield
    finally:
        _OPERATORS.clear()
        _OPERATORS.update(held)
