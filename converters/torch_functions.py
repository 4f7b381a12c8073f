"""``torch.autograd.Function`` with a static ``symbolic``: honoured whichever exporter writes the model.

The TorchScript exporter calls ``symbolic`` itself. The dynamo exporter ignores it and traces ``forward``; so each call
becomes one opaque node for its time, and that node an ONNX function afterwards, whose body the TorchScript exporter
wrote from the very ``symbolic``.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any
from unittest import mock

from converters.quiet import quietly

if TYPE_CHECKING:
    import onnx
    import torch

#: Domain of the opaque nodes, which none is left of in the end.
DOMAIN = "sofie_convert.symbolic"


@dataclass(frozen=True)
class _Site:
    """A call of a Function: its arguments, with the sizes that tensors have in the trace."""

    function: type
    apply: Callable[..., Any]
    arguments: tuple[Any, ...]
    outputs: int


@dataclass
class Calls:
    """What was called under the trace."""

    sites: dict[str, _Site] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        names = dict.fromkeys(f"{s.function.__module__}.{s.function.__qualname__}" for s in self.sites.values())
        return tuple(f"{name} was exported by its static symbolic, not by tracing its forward" for name in names)


@contextlib.contextmanager
def opaque_calls() -> Iterator[Calls]:
    """Context for the dynamo exporter, in which calls of such Functions write one node each."""
    calls = Calls()
    with contextlib.ExitStack() as stack:
        for function in _with_symbolic():
            stack.enter_context(mock.patch.object(function, "apply", _written(function, calls)))
        yield calls


def fill_in(model: onnx.ModelProto, calls: Calls, opset: int) -> None:
    """Give each opaque node its body, as a function of the model, in place."""
    import onnx

    used = {n.op_type for n in model.graph.node if n.domain == DOMAIN}
    for name in sorted(used):
        model.functions.append(_body(name, calls.sites[name], opset))
    if used and all(o.domain != DOMAIN for o in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(DOMAIN, 1))


def _with_symbolic() -> list[type]:
    """All Functions of this process that have one, torch's own left out."""
    import torch

    found, stack = [], [torch.autograd.Function]
    while stack:
        below = stack.pop().__subclasses__()
        stack += below
        found += [f for f in below if callable(getattr(f, "symbolic", None)) and not f.__module__.startswith("torch.")]
    return found


def _written(function: Any, calls: Calls) -> Callable[..., Any]:
    numbers = count()
    original = function.apply

    def apply(*arguments: Any) -> Any:
        import torch

        # forward says what comes out; its own operators lead nowhere and fall away
        out = original(*arguments)
        outputs = out if isinstance(out, tuple) else (out,)
        name = f"{function.__name__}_{next(numbers)}"
        calls.sites[name] = _Site(function, original, tuple(_sized(a) for a in arguments), len(outputs))
        made = torch.onnx.ops.symbolic_multi_out(
            f"{DOMAIN}::{name}",
            [a for a in arguments if isinstance(a, torch.Tensor)],
            dtypes=[o.dtype for o in outputs],
            shapes=[o.shape for o in outputs],
            version=1,
        )
        return tuple(made) if isinstance(out, tuple) else made[0]

    return apply


def _sized(argument: Any) -> Any:
    """A tensor as its dtype, and sizes with names for the open ones; anything else as it is."""
    import torch

    if not isinstance(argument, torch.Tensor):
        return argument
    sizes: tuple[Any, ...] = tuple(argument.shape)  # of a trace: some are torch.SymInt, whatever the annotation says
    return _Tensor(argument.dtype, tuple(d if isinstance(d, int) else str(d) for d in sizes))


@dataclass(frozen=True)
class _Tensor:
    dtype: torch.dtype
    shape: tuple[int | str, ...]

    def example(self, size: int) -> torch.Tensor:
        import torch

        return torch.ones([d if isinstance(d, int) else size for d in self.shape], dtype=self.dtype)


def _body(name: str, site: _Site, opset: int) -> onnx.FunctionProto:
    """The call alone, exported by the TorchScript exporter."""
    import onnx
    import torch

    tensors = [a for a in site.arguments if isinstance(a, _Tensor)]

    class Call(torch.nn.Module):
        def forward(self, *given: torch.Tensor) -> Any:
            left = iter(given)
            return site.apply(*(next(left) if isinstance(a, _Tensor) else a for a in site.arguments))

    inputs = [f"x{k}" for k in range(len(tensors))]
    outputs = [f"y{k}" for k in range(site.outputs)]
    axes = {n: [k for k, d in enumerate(t.shape) if isinstance(d, str)] for n, t in zip(inputs, tensors, strict=True)}
    file: Any = io.BytesIO()
    with quietly():
        torch.onnx.export(
            Call(), tuple(t.example(3) for t in tensors), file, dynamo=False, opset_version=opset,
            input_names=inputs, output_names=outputs, dynamic_axes={n: a for n, a in axes.items() if a},
        )  # fmt: skip
    model = onnx.load_model_from_string(file.getvalue())
    constants = [onnx.helper.make_node("Constant", [], [t.name], value=t) for t in model.graph.initializer]
    imports = [onnx.helper.make_opsetid(o.domain, o.version) for o in model.opset_import]
    return onnx.helper.make_function(DOMAIN, name, inputs, outputs, [*constants, *model.graph.node], imports)
