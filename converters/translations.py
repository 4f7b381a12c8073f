"""Translations of framework operators that an exporter lacks: the project's own, and a user's (``--translations``).

A translation is a function from an operator of the framework's graph to ONNX operators. The decorator says which
operator it is for::

    from converters.translations import decomposition, pytorch, tensorflow

    @tensorflow("Expm1")
    def expm1(g, node):
        x = node.inputs[0]
        return g.Sub(g.Exp(x), g.constant(1, like=x))

    @pytorch("mylib::swish")
    def swish(g, x, beta):
        return g.Mul(x, g.Sigmoid(g.Mul(x, g.constant(beta))))

    @decomposition("mylib::halve")
    def halve(x):
        return x / 2

A user's file with such functions is named with ``--translations my_ops.py``; importing it registers them, for that
conversion. They stand before the exporter's own and the project's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, TypeVar

from convert.errors import BadModel
from converters.factory import import_home

F = TypeVar("F", bound=Callable[..., Any])

#: By TensorFlow's name of the operator; a later one replaces an earlier one.
TENSORFLOW: dict[str, Callable[..., Any]] = {}
#: The same by PyTorch's names, "mylib::swish": to ONNX operators, and to other operators of PyTorch's.
PYTORCH: dict[str, Callable[..., Any]] = {}
DECOMPOSITIONS: dict[str, Callable[..., Any]] = {}
#: What a user's file may add to, for one conversion.
_REGISTRIES = (TENSORFLOW, PYTORCH, DECOMPOSITIONS)


def tensorflow(*operators: str) -> Callable[[F], F]:
    """The function ``(g, node) -> name or names of the outputs`` translates these TensorFlow operators.

    :param operators: names as in ``tf.raw_ops`` ("Expm1").
    """

    return _registering(TENSORFLOW, operators)


def pytorch(*operators: str) -> Callable[[F], F]:
    """The function ``(g, *arguments) -> output or tuple of outputs`` translates these PyTorch operators.

    :param operators: names as in ``torch.ops``, with their namespace ("mylib::swish"); all overloads.
    """
    return _registering(PYTORCH, operators)


def decomposition(*operators: str) -> Callable[[F], F]:
    """The function, torch code of the operator's own signature, stands in for these PyTorch operators."""
    return _registering(DECOMPOSITIONS, operators)


def _registering(registry: dict[str, Callable[..., Any]], operators: Sequence[str]) -> Callable[[F], F]:
    def register(function: F) -> F:
        registry.update(dict.fromkeys(operators, function))
        return function

    return register


def load_shipped(home: str) -> None:
    """Import every file of the project's own translations, which register themselves.

    :param home: "tf_ops" or "torch_ops".
    """
    package = import_module(f"converters.{home}")
    for module in iter_modules(package.__path__, f"{package.__name__}."):
        import_module(module.name)


@contextmanager
def of_the_users(files: Sequence[str]) -> Iterator[None]:
    """Context in which the translations of these Python files stand before all others.

    :raises convert.errors.BadModel: a file that is not there, or what it raised.
    """
    if not files:
        yield
        return
    for home in ("tf_ops", "torch_ops"):
        load_shipped(home)  # now: what is registered later replaces what is there
    before = [dict(registry) for registry in _REGISTRIES]
    try:
        for file in files:
            if not Path(file).expanduser().is_file():
                raise BadModel(f"no such file: {file}", advice="--translations takes a Python file")
            import_home(str(Path(file).expanduser()), f"--translations {file}")
        yield
    finally:
        for registry, held in zip(_REGISTRIES, before, strict=True):
            registry.clear()
            registry.update(held)
