"""``torch.autograd.Function``: by its static ``symbolic`` or by a trace of its forward, whichever exporter writes.

The TorchScript exporter calls ``symbolic`` itself. The dynamo exporter ignores it and traces ``forward``; so each call
becomes one opaque node for its time, and that node an ONNX function afterwards, whose body the TorchScript exporter
wrote from the very ``symbolic``.
"""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any
from unittest import mock

from converters.quiet import Attempt, quietly
from converters.torch_sizes import Sized, outputs_of, sized
from converters.translations import FUNCTIONS

if TYPE_CHECKING:
    import onnx

#: Domain of the opaque nodes, which none is left of in the end.
DOMAIN = "sofie_convert.symbolic"


@dataclass(frozen=True)
class _Site:
    """A call of a Function: its arguments, with the sizes that tensors have in the trace."""

    apply: Callable[..., Any]
    arguments: tuple[Any, ...]
    outputs: int


@dataclass
class Calls:
    """What was called under the trace.

    :param sites: calls that became opaque nodes, by the node's name.
    :param called: names of all Functions that were called; with whether they have a symbolic.
    :param forward: all of them were traced, whatever they have.
    """

    forward: bool
    sites: dict[str, _Site] = field(default_factory=dict)
    called: dict[str, bool] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What became of each Function."""
        return tuple(self._note(name, has) for name, has in self.called.items())

    def _note(self, name: str, has_symbolic: bool) -> str:  # noqa: FBT001 - a value of a dict
        if not has_symbolic:
            return f"{name} has no static symbolic: its forward was traced"
        if name in FUNCTIONS and not self.forward:
            return f"{name} was exported by the translation that is given for it, not by tracing its forward"
        if self.forward:
            return f"{name} was exported by tracing its forward, not by its static symbolic (--functions forward)"
        return f"{name} was exported by its static symbolic, not by tracing its forward"


@contextlib.contextmanager
def opaque_calls(*, forward: bool) -> Iterator[Calls]:
    """Context for the dynamo exporter, in which calls of Functions with a symbolic write one node each.

    :param forward: trace all of them.
    """
    calls = Calls(forward)

    def change(function: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        traced = forward or not _has_symbolic(function)
        return _seen(function, original, calls) if traced else _written(function, original, calls)

    with changed_forwards(change):
        yield calls


@contextlib.contextmanager
def called(*, forward: bool) -> Iterator[Calls]:
    """Context for the TorchScript exporter, which asks for ``symbolic`` itself.

    :param forward: hide it.
    """
    calls = Calls(forward)
    hidden = _hidden_symbolics() if forward else contextlib.nullcontext()
    with changed_forwards(lambda function, original: _seen(function, original, calls)), hidden:
        yield calls


@contextlib.contextmanager
def changed_forwards(change: Callable[[Any, Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """Context in which the forward of every Function is another: ``apply`` is often held already by what calls it.

    :param change: Function and ``forward(*arguments)``, without a context → the other.
    """
    originals = [(function, _without_context(function)) for function in functions()]  # before any is changed
    with contextlib.ExitStack() as stack:
        for function, original in originals:
            changed = change(function, original)
            if takes_context(function):
                changed = _with_context(changed)
            wrapped = functools.wraps(function.forward)(changed)  # torch looks for defaults in its signature
            stack.enter_context(mock.patch.object(function, "forward", staticmethod(wrapped)))
        yield


def takes_context(function: Any) -> bool:
    """Does forward take ``ctx`` first? Not where the Function has a ``setup_context``."""
    import torch

    return bool(function.setup_context is torch.autograd.Function.setup_context)


def _without_context(function: Any) -> Callable[..., Any]:
    forward: Callable[..., Any] = function.forward
    return (lambda *arguments: forward(_Context(len(arguments)), *arguments)) if takes_context(function) else forward


def _with_context(forward: Callable[..., Any]) -> Callable[..., Any]:
    return lambda _, *arguments: forward(*arguments)


class _Context:
    """What forward keeps for backward, which nobody asks for here."""

    def __init__(self, arguments: int) -> None:
        self.needs_input_grad = (False,) * arguments

    def save_for_backward(self, *_: Any) -> None:
        """Nothing is kept."""

    save_for_forward = mark_dirty = mark_non_differentiable = set_materialize_grads = save_for_backward


@contextlib.contextmanager
def translated_functions(symbolic: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """Context in which Functions that have a translation have it for a static ``symbolic``.

    :param symbolic: translation, ``(g, *arguments)`` → symbolic function of the TorchScript exporter's.
    """
    with contextlib.ExitStack() as stack:
        for function in functions():
            if name_of(function) in FUNCTIONS:
                made = staticmethod(symbolic(FUNCTIONS[name_of(function)]))
                stack.enter_context(mock.patch.object(function, "symbolic", made, create=True))
        yield


def fill_in(model: onnx.ModelProto, calls: Calls, opset: int) -> None:
    """Give each opaque node its body, as a function of the model, in place."""
    import onnx

    used = {n.op_type for n in model.graph.node if n.domain == DOMAIN}
    for name in sorted(used):
        model.functions.append(_body(name, calls.sites[name], opset))
    if used and all(o.domain != DOMAIN for o in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(DOMAIN, 1))


def functions() -> list[Any]:
    """All Functions of this process, torch's own left out."""
    import torch

    found: list[Any] = []
    stack: list[Any] = [torch.autograd.Function]
    while stack:
        below = stack.pop().__subclasses__()
        stack += below
        found += [f for f in below if not f.__module__.startswith("torch.")]
    return found


def name_of(function: type) -> str:
    """With its module: what a translation of it is registered by."""
    return f"{function.__module__}.{function.__qualname__}"


def _has_symbolic(function: type) -> bool:
    return callable(getattr(function, "symbolic", None))


@contextlib.contextmanager
def _hidden_symbolics() -> Iterator[None]:
    held = [(f, vars(f)["symbolic"]) for f in functions() if "symbolic" in vars(f)]
    try:
        for function, _ in held:
            delattr(function, "symbolic")
        yield
    finally:
        for function, symbolic in held:
            setattr(function, "symbolic", symbolic)  # noqa: B010 - a class of the user's


def _seen(function: Any, original: Callable[..., Any], calls: Calls) -> Callable[..., Any]:
    has_symbolic = _has_symbolic(function)

    def forward(*arguments: Any) -> Any:
        calls.called[name_of(function)] = has_symbolic
        return original(*arguments)

    return forward


def _written(function: Any, original: Callable[..., Any], calls: Calls) -> Callable[..., Any]:
    numbers = count()

    def forward(*arguments: Any) -> Any:
        import torch

        with Attempt() as attempt:
            # forward says what comes out; its own operators lead nowhere and fall away
            out = original(*arguments)
        if attempt.error is not None:  # it cannot be traced: it says it by running
            out = outputs_of(original, arguments)
        outputs = out if isinstance(out, tuple) else (out,)
        name = f"{function.__name__}_{next(numbers)}"
        calls.called[name_of(function)] = True
        calls.sites[name] = _Site(function.apply, tuple(map(sized, arguments)), len(outputs))
        made = torch.onnx.ops.symbolic_multi_out(
            f"{DOMAIN}::{name}",
            [a for a in arguments if isinstance(a, torch.Tensor)],
            dtypes=[o.dtype for o in outputs],
            shapes=[o.shape for o in outputs],
            version=1,
        )
        return tuple(made) if isinstance(out, tuple) else made[0]

    return forward


def _body(name: str, site: _Site, opset: int) -> onnx.FunctionProto:
    """The call alone, exported by the TorchScript exporter."""
    import onnx
    import torch

    tensors = [a for a in site.arguments if isinstance(a, Sized)]

    class Call(torch.nn.Module):
        def forward(self, *given: torch.Tensor) -> Any:
            left = iter(given)
            return site.apply(*(next(left) if isinstance(a, Sized) else a for a in site.arguments))

    inputs = [f"x{k}" for k in range(len(tensors))]
    outputs = [f"y{k}" for k in range(site.outputs)]
    axes = {n: [k for k, d in enumerate(t.names) if d] for n, t in zip(inputs, tensors, strict=True)}
    file: Any = io.BytesIO()
    with quietly():
        torch.onnx.export(
            Call(), tuple(t.example() for t in tensors), file, dynamo=False, opset_version=opset,
            input_names=inputs, output_names=outputs, dynamic_axes={n: a for n, a in axes.items() if a},
        )  # fmt: skip
    model = onnx.load_model_from_string(file.getvalue())
    constants = [onnx.helper.make_node("Constant", [], [t.name], value=t) for t in model.graph.initializer]
    imports = [onnx.helper.make_opsetid(o.domain, o.version) for o in model.opset_import]
    return onnx.helper.make_function(DOMAIN, name, inputs, outputs, [*constants, *model.graph.node], imports)
