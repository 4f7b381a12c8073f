"""What a module's forward takes, of a TorchScript archive's too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from converters.signature import Argument, Make, Signature, listed, signature_of, tupled

if TYPE_CHECKING:
    import torch

_SCRIPTED: dict[str, Make] = {"DictType": dict, "ListType": listed, "TupleType": tupled}


def signature(module: torch.nn.Module) -> Signature:
    """Of the module's forward."""
    import torch

    if isinstance(module, torch.jit.ScriptModule):
        forward: Any = module.forward
        return Signature(tuple(
            Argument(a.name, not a.has_default_value(), by_name=a.kwarg_only, make=_SCRIPTED.get(a.type.kind()))
            for a in forward.schema.arguments[1:]
        ))  # fmt: skip
    return signature_of(module.forward)
