"""Operators and functions of the user's that no exporter knows: which call it is, and a translation to fill in."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.quiet import Attempt, quietly
from converters.torch_functions import changed_forwards, name_of, takes_context
from converters.torch_translations import has_symbolic
from converters.translations import DECOMPOSITIONS, PYTORCH

if TYPE_CHECKING:
    import torch

#: Namespaces of operators that are torch's own, or mean no computation.
_TORCHS = ("aten::", "prim", "onnx", "profiler::", "quantized::")

_HERE = Path(__file__).parent
_HEAD = "        from converters.translations import pytorch\n"
_SKELETON = '''

        @pytorch("{name}")
        def {function}(g, {parameters}):
            """{signature}"""
            raise NotImplementedError  # in its place {function} in ONNX operators, as in: return g.Exp({first})
'''


@dataclass(frozen=True)
class Untranslated:
    """A call of an operator or a Function without translation.

    :param signature: dtypes and shapes, ``float32[4,4], 1.5 -> float32[4,4]``. :param trace: torch's stack of the call.
    :param parameters: the arguments, as a function's head has them.
    """

    name: str
    signature: str
    trace: str
    parameters: tuple[str, ...]

    @property
    def skeleton(self) -> str:
        function = self.name.replace("::", ".").split(".")[1 if "::" in self.name else -1]
        return _SKELETON.format(
            name=self.name,
            function=function.lower(),
            parameters=", ".join(self.parameters),
            signature=self.signature,
            first=self.parameters[0],
        )


def skeleton(found: Sequence[Untranslated]) -> str:
    """A file to fill in."""
    return _HEAD + "".join(each.skeleton for each in found)


def untranslated(module: torch.nn.Module, tensors: Sequence[torch.Tensor], failed: Iterable[str]) -> list[Untranslated]:
    """Operators of the module, called as it runs, that are none of torch's own, or that an exporter failed at.

    ``torch.autograd.Function`` too, where no trace goes through it.

    :param failed: operators that exporters named: "aten.linalg_eig", "aten::linalg_eig".
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    wanted = {name.replace(".", "::", 1) if "::" not in name else name for name in failed}
    found: dict[str, Untranslated] = {}

    class Watching(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            schema = func._schema
            if _is_missing(schema.name) or schema.name in wanted:
                found.setdefault(schema.name, _called(schema, args, kwargs or {}, out))
            return out

    def watched(function: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(*arguments: Any) -> Any:
            out = original(*arguments)
            name = name_of(function)
            if name not in found and not hasattr(function, "symbolic") and not _is_traceable(original, arguments):
                found[name] = _applied(function, name, arguments, out)
            return out

        return forward

    with quietly(), Attempt(), changed_forwards(watched), torch.no_grad(), Watching():  # type: ignore[no-untyped-call]
        module(*(t.clone() for t in tensors))
    return list(found.values())


def untranslated_of_program(graph: Any) -> list[Untranslated]:
    """The same of a torch.export program's graph, whose nodes know their places."""
    found: dict[str, Untranslated] = {}
    for node in graph.nodes:
        schema = getattr(node.target, "_schema", None) if node.op == "call_function" else None
        if schema is not None and _is_missing(schema.name):
            trace = node.meta.get("stack_trace") or ""
            found.setdefault(schema.name, _described(schema, node.args, node.kwargs, node, trace))
    return list(found.values())


def _is_missing(name: str) -> bool:
    given = {known.partition(".")[0] for known in (*PYTORCH, *DECOMPOSITIONS)}
    return not name.startswith(_TORCHS) and name not in given and not has_symbolic(name)


def _is_traceable(original: Callable[..., Any], arguments: Sequence[Any]) -> bool:
    import torch

    class Call(torch.nn.Module):
        def forward(self, *given: torch.Tensor) -> Any:
            left = iter(given)
            return original(*(next(left) if isinstance(a, torch.Tensor) else a for a in arguments))

    from torch.utils._python_dispatch import _disable_current_modes

    examples = tuple(a.detach().clone() for a in arguments if isinstance(a, torch.Tensor))
    with _disable_current_modes(), Attempt() as attempt:
        torch.export.export(Call(), examples, strict=False)
    return attempt.error is None


def _called(schema: Any, args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> Untranslated:
    return _described(schema, args, kwargs, out, _stack())


def _described(schema: Any, args: Sequence[Any], kwargs: dict[str, Any], out: Any, trace: str) -> Untranslated:
    signature = f"{', '.join(map(_shown, (*args, *kwargs.values())))} -> {_shown(out, many=True)}"
    return Untranslated(schema.name, signature, trace, tuple(_parameters(schema.arguments)))


def _parameters(arguments: Sequence[Any]) -> Iterator[str]:
    """As Python writes them: an argument that is left out in the call has its default in the translation."""
    by_name = False
    for argument in arguments:
        if argument.kwarg_only and not by_name:
            by_name = True
            yield "*"
        yield f"{argument.name}={argument.default_value!r}" if argument.has_default_value() else argument.name


def _applied(function: Any, name: str, arguments: Sequence[Any], out: Any) -> Untranslated:
    parameters = list(inspect.signature(function.forward).parameters.values())
    own = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    own = own[1:] if takes_context(function) else own
    own += [f"argument_{i}" for i in range(len(own), len(arguments))]
    signature = f"{', '.join(map(_shown, arguments))} -> {_shown(out, many=True)}"
    return Untranslated(name, signature, _stack(), tuple(own[: len(arguments)]))


def _stack() -> str:
    """The frames of the model's code: below those of ours that call it, above those that watch it."""
    frames = traceback.extract_stack()
    while frames and Path(frames[-1].filename).parent == _HERE:
        frames.pop()
    ours = max((i for i, f in enumerate(frames) if Path(f.filename).parent == _HERE), default=-1)
    return "".join(f'  File "{f.filename}", line {f.lineno}, in {f.name}\n' for f in frames[ours + 1 :])


def _shown(argument: Any, *, many: bool = False) -> str:
    """A tensor as dtype and shape, anything else as Python writes it.

    :param many: without brackets: it is a list of outputs.
    """
    held = argument.meta.get("val") if hasattr(argument, "meta") else argument
    if isinstance(held, (list, tuple)):
        inner = ", ".join(_shown(h) for h in held)
        return inner if many else f"[{inner}]"
    return f"{str(held.dtype).removeprefix('torch.')}[{','.join(map(str, held.shape))}]" if hasattr(
        held, "dtype") else repr(held)  # fmt: skip
