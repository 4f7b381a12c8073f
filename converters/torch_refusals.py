"""An operator of the user's that no exporter knows: which call it is, and a translation to fill in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from converters.quiet import Attempt, quietly

if TYPE_CHECKING:
    import torch

_SKELETON = '''\
        from converters.translations import pytorch


        @pytorch("{name}")
        def {function}(g, {parameters}):
            """{signature}"""
            raise NotImplementedError  # in its place {function} in ONNX operators, as in: return g.Exp({first})
'''


@dataclass(frozen=True)
class Untranslated:
    """A call of an operator without translation.

    :param signature: dtypes and shapes, ``float32[N,4], 1.5 -> float32[N,4]``. :param trace: torch's stack of the call.
    :param skeleton: a file to fill in.
    """

    name: str
    signature: str
    trace: str
    skeleton: str


def untranslated(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> Untranslated | None:
    """The first operator of the module that is none of torch's own; None where torch.export cannot find out."""
    import torch

    with quietly(), Attempt():
        program = torch.export.export(module, tensors, strict=False)
        return next(_own(program.graph), None)
    return None


def _own(graph: Any) -> Iterator[Untranslated]:
    from converters.translations import DECOMPOSITIONS, PYTORCH

    for node in graph.nodes:
        schema = getattr(node.target, "_schema", None) if node.op == "call_function" else None
        if schema is None or schema.name.startswith(("aten::", "prim", "onnx")) or schema.name in {
            *PYTORCH, *DECOMPOSITIONS}:  # fmt: skip
            continue
        parameters = [a.name for a in schema.arguments]
        signature = f"{', '.join(map(_shown, node.args))} -> {_shown(node)}"
        function = schema.name.partition("::")[2]
        yield Untranslated(
            schema.name,
            signature,
            node.meta.get("stack_trace") or "",
            _SKELETON.format(
                name=schema.name,
                function=function,
                parameters=", ".join(parameters),
                signature=signature,
                first=parameters[0],
            ),
        )


def _shown(argument: Any) -> str:
    """A tensor as dtype and shape, anything else as Python writes it."""
    held = argument.meta.get("val") if hasattr(argument, "meta") else argument
    many = held if isinstance(held, (list, tuple)) else [held]
    return ", ".join(
        f"{str(h.dtype).removeprefix('torch.')}[{','.join(map(str, h.shape))}]" if hasattr(h, "dtype") else repr(h)
        for h in many
    )
