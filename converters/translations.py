"""Translations of framework operators that an exporter lacks: the project's own, and a user's (``--translations``).

A translation is a function from an operator of the framework's graph to ONNX operators. The decorator says which
operator it is for::

    from converters.translations import decomposition, pytorch, stand_in, tensorflow

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

    @stand_in("mylib.doubled")
    def doubled(x):
        return x + x

A user's file with such functions is named with ``--translations my_ops.py``; importing it registers them, for that
conversion. They stand before the exporter's own and the project's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, TypeVar

from convert.errors import BadModel
from converters.factory import import_home
from converters.torch_onnxscript import adapted

F = TypeVar("F", bound=Callable[..., Any])

#: By TensorFlow's name of the operator; a later one replaces an earlier one.
TENSORFLOW: dict[str, Callable[..., Any]] = {}
#: The same by PyTorch's names, "mylib::swish": to ONNX operators, and to other operators of PyTorch's.
PYTORCH: dict[str, Callable[..., Any]] = {}
DECOMPOSITIONS: dict[str, Callable[..., Any]] = {}
#: By the name of a Python function of PyTorch's, "torch.ctc_loss" or "torch.nn.LSTM.forward".
STAND_INS: dict[str, Callable[..., Any]] = {}
#: Of ``torch.autograd.Function``s, by their class's name with its module: "network.Swish".
FUNCTIONS: dict[str, Callable[..., Any]] = {}
#: What a user's file may add to, for one conversion.
_REGISTRIES = (TENSORFLOW, PYTORCH, DECOMPOSITIONS, STAND_INS, FUNCTIONS)


def tensorflow(*operators: str) -> Callable[[F], F]:
    """The function ``(g, node) -> name or names of the outputs`` translates these TensorFlow operators.

    :param operators: names as in ``tf.raw_ops`` ("Expm1").
    """

    return _registering(TENSORFLOW, operators)


def pytorch(*operators: str) -> Callable[[F], F]:
    """The function ``(g, *arguments) -> output or tuple of outputs`` translates these PyTorch operators.

    A function of onnxscript's operators does so too, ``(*arguments)`` without ``g``, compiled by ``script()`` or not.

    :param operators: names as in ``torch.ops``, with their namespace ("mylib::swish"): all overloads, or the one named
        ("aten::lstm.input"); or the name of a ``torch.autograd.Function`` with its module ("network.Swish").
    """

    def register(function: F) -> F:
        translation = adapted(function)
        _registering(PYTORCH, [o for o in operators if "::" in o], DECOMPOSITIONS)(translation)
        _registering(FUNCTIONS, [o for o in operators if "::" not in o])(translation)
        return function

    return register


def decomposition(*operators: str) -> Callable[[F], F]:
    """The function, torch code of the operator's own signature, stands in for these PyTorch operators.

    It may give ``NotImplemented``: then the exporters' own translation is taken.
    """
    return _registering(DECOMPOSITIONS, operators, PYTORCH)


def stand_in(*functions: str) -> Callable[[F], F]:
    """The function stands in for these Python functions or methods while PyTorch's exporters trace a model.

    For what they cannot trace as far as an operator. The model's own answers are the original's.

    :param functions: full names: "torch.ctc_loss".
    """
    return _registering(STAND_INS, functions)


def _registering(
    registry: dict[str, Callable[..., Any]],
    operators: Sequence[str],
    *others: dict[str, Callable[..., Any]],
) -> Callable[[F], F]:
    """What the other registries have for them is no longer asked."""

    def register(function: F) -> F:
        for other in others:
            for operator in operators:
                other.pop(operator, None)
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


def _name_of(operator: Any) -> str:
    """Of ``torch.ops.mylib.swish``, an overload of it, what ``torch.library.custom_op`` made, or a Function's class.

    :raises convert.errors.BadModel: something else.
    """
    if isinstance(operator, str):
        return operator
    if isinstance(operator, type):
        return f"{operator.__module__}.{operator.__qualname__}"
    found = getattr(operator, "_qualname", "") or getattr(operator, "_qualified_op_name", "")
    schema = getattr(operator, "_schema", None)
    if not found and schema is not None:  # an overload: that one only
        found = f"{schema.name}.{schema.overload_name}".removesuffix(".")
    if not found:
        advice = "give torch.ops.mylib.swish.default, the operator's name \"mylib::swish\", or a Function's class"
        raise BadModel(f"translations has the key {operator!r}, which is no operator of PyTorch's", advice=advice)
    return str(found)


@contextmanager
def of_the_users(
    given: Sequence[str | Mapping[Any, Callable[..., Any]]], *, option: str = "--translations"
) -> Iterator[None]:
    """Context in which the translations of these Python files and dicts stand before all others.

    :param given: dicts are as torch's ``custom_translation_table``, with operators of PyTorch's or their names.
    :param option: what names the files on the command line.
    :raises convert.errors.BadModel: a file that is not there, or what it raised; a key that is no operator.
    """
    if not given:
        yield
        return
    for home in ("tf_ops", "torch_ops"):
        load_shipped(home)  # now: what is registered later replaces what is there
    before = [dict(registry) for registry in _REGISTRIES]
    try:
        for file in given:
            if isinstance(file, Mapping):
                for operator, function in file.items():
                    pytorch(_name_of(operator))(function)
                continue
            if not Path(file).expanduser().is_file():
                raise BadModel(f"no such file: {file}", advice=f"{option} takes a Python file")
            import_home(str(Path(file).expanduser()), f"{option} {file}")
        yield
    finally:
        for registry, held in zip(_REGISTRIES, before, strict=True):
            registry.clear()
            registry.update(held)
