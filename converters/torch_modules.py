"""A module made ready for export: wrappers off, weights in the inputs' dtype, integer kernels refused."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from convert.errors import BadModel, Finding

if TYPE_CHECKING:
    import torch

#: Homes of layers whose weights are packed for integer kernels.
_QUANTIZED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized",
              "torch.nn.intrinsic.quantized")  # fmt: skip


def unwrapped(module: torch.nn.Module) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """The module inside DataParallel, DistributedDataParallel and torch.compile, and what was taken off."""
    import torch
    from torch._dynamo import OptimizedModule

    notes = []
    while isinstance(
        module, (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel, OptimizedModule)
    ):  # fmt: skip
        kind = "torch.compile" if isinstance(module, OptimizedModule) else type(module).__name__
        notes.append(f"the model was wrapped in {kind}; it is taken without")
        inner: torch.nn.Module = module._orig_mod if isinstance(module, OptimizedModule) else module.module
        module = inner
    return module, tuple(notes)


def refuse_quantized(module: torch.nn.Module, where: str) -> None:
    """Layers with integer kernels have no header.

    :raises BadModel: all of them, by name.
    """
    findings = tuple(Finding(f"{name or 'the module itself'} is a {kind}") for name, kind in _quantized(module))
    if findings:
        advice = (
            "convert the model as it was before torch.ao.quantization.convert or quantize_dynamic; one prepared for "
            "quantisation-aware training is exported with the rounding that it was trained with"
        )
        what = "quantised layers of PyTorch run integer kernels, which a header has not"
        raise BadModel(what, where=where, advice=advice, findings=findings)


def _quantized(module: torch.nn.Module) -> Iterator[tuple[str, str]]:
    import torch

    for name, part in module.named_modules():
        if name.endswith("._packed_params"):  # of a layer that is named already
            continue
        if type(part).__module__.startswith(_QUANTIZED):
            yield name, f"{type(part).__module__}.{type(part).__qualname__}"
        elif isinstance(part, torch.jit.ScriptModule):
            packed: Any = getattr(part, "_c", None)
            if packed is not None and packed.hasattr("_packed_params"):
                yield name, f"quantised {part.original_name} of a TorchScript archive"


def in_float32(module: torch.nn.Module, dtypes: set[torch.dtype]) -> tuple[torch.nn.Module, tuple[str, ...]] | None:
    """A copy with its weights in float32, where its inputs are float32 and they are not; else None.

    :param dtypes: of the inputs.
    """
    import torch

    held = {t.dtype for t in (*module.parameters(), *module.buffers()) if t.is_floating_point()} - {torch.float32}
    if not held or torch.float32 not in dtypes or isinstance(module, torch.jit.ScriptModule):
        return None
    kinds = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in held))
    return copy.deepcopy(module).float(), (f"the weights are {kinds} and run in float32, as the inputs are given",)
