"""State dicts: parameters without a network, put into the network that the user names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from convert.errors import BadModel, Finding
from converters.base import LoadOptions
from converters.factory import build
from converters.quiet import quietly

if TYPE_CHECKING:
    import torch

#: Where checkpoints keep the parameters: Lightning and timm; PyTorch's tutorial; many others.
_ENTRIES = ("state_dict", "model_state_dict", "model")
#: What wrappers put before each name: DataParallel, Lightning, torch.compile.
_PREFIXES = ("module.", "model.", "_orig_mod.", "net.")


def find_state(content: Any, *, where: str) -> tuple[Mapping[str, torch.Tensor], str]:
    """The parameters in what a file held, and the checkpoint's entry they were under.

    :raises BadModel: no parameters there.
    """
    if _is_state(content):
        return content, ""
    if isinstance(content, Mapping):
        for entry in _ENTRIES:
            if _is_state(content.get(entry)):
                return content[entry], entry
    held = f"a dict of {', '.join(map(str, content))}" if isinstance(content, Mapping) else type(content).__name__
    what = f"the file holds neither a module nor a state dict, but {held[:200]}"
    raise BadModel(what, where=where, advice="save the module's state_dict(), or a torch.export program")


def fill(state: Mapping[str, Any], options: LoadOptions, *, where: str) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """Build the network with ``options.model`` and load the parameters into it.

    :raises BadModel: no factory, not a module, or every key and shape that does not fit.
    """
    import torch

    if options.model is None:
        what = "the file holds parameters only; the architecture is missing"
        advice = "name what builds the network: --model package.module:factory or --model file.py:factory"
        raise BadModel(what, where=where, advice=advice)
    with quietly(verbose=options.verbose):
        module = build(options.model)
    if not isinstance(module, torch.nn.Module):
        raise BadModel(f"--model {options.model} gave a {type(module).__name__}, not a torch.nn.Module", where=where)
    wanted = module.state_dict()
    state, prefix = _without_prefix(state, wanted)
    findings = _misfits(state, wanted)
    if findings:
        what = f"the parameters do not fit the network of --model {options.model}"
        raise BadModel(what, where=where, findings=tuple(findings))
    module.load_state_dict({key: state[key] for key in wanted})
    notes = [f"the prefix {prefix!r} was taken off the parameters' names"] if prefix else []
    return module, tuple(notes)


def _is_state(content: Any) -> bool:
    import torch

    # get_extra_state() may put other things under this key.
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(key, str) for key in content)
        and all(isinstance(v, torch.Tensor) or k.endswith("_extra_state") for k, v in content.items())
    )


def _without_prefix(state: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    for prefix in _PREFIXES:
        if state.keys() != wanted.keys() and all(key.startswith(prefix) for key in state):
            stripped = {key.removeprefix(prefix): value for key, value in state.items()}
            if stripped.keys() == wanted.keys():
                return stripped, prefix
    return state, ""


def _misfits(state: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Finding]:
    findings = [Finding(f"missing: {key}") for key in wanted if key not in state]
    findings += [Finding(f"unexpected: {key}") for key in state if key not in wanted]
    for key in wanted:
        have, want = getattr(state.get(key), "shape", None), getattr(wanted[key], "shape", None)
        if have is not None and want is not None and have != want:
            findings.append(Finding(f"wrong shape: {key} is {list(have)} in the file, {list(want)} in the network"))
    return findings
