"""Translations of framework operators that an exporter lacks: the project's own, and a user's (``--translations``).

A translation is a function from an operator of the framework's graph to ONNX operators. The decorator says which
operator it is for::

    from converters.translations import tensorflow

    @tensorflow("Expm1")
    def expm1(g, node):
        x = node.inputs[0]
        return g.Sub(g.Exp(x), g.constant(1, like=x))

A user's file with such functions is named with ``--translations my_ops.py``; importing it registers them. They stand
before the exporter's own and the project's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

#: By TensorFlow's name of the operator; a later one replaces an earlier one.
TENSORFLOW: dict[str, Callable[..., Any]] = {}


def tensorflow(*operators: str) -> Callable[[F], F]:
    """The function ``(g, node) -> name or names of the outputs`` translates these TensorFlow operators.

    :param operators: names as in ``tf.raw_ops`` ("Expm1").
    """

    def register(function: F) -> F:
        TENSORFLOW.update(dict.fromkeys(operators, function))
        return function

    return register
