"""State dicts: parameters without a network, put into the network that the user names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from convert.errors import BadModel, Finding
from converters.base import LoadOptions
from converters.factory import build_with
from converters.quiet import quietly

if TYPE_CHECKING:
    import torch

#: Where checkpoints keep the parameters: Lightning and timm; PyTorch's tutorial; many others.
_ENTRIES = ("state_dict", "model_state_dict", "model")
#: Lightning's entries with what its module was made with, and the name of the argument that is all of it.
_HYPER, _HYPER_NAME = "hyper_parameters", "hparams_name"


@dataclass(frozen=True)
class State:
    """Parameters, and what a checkpoint says of the network.

    :param entry: of the checkpoint, that held them. :param arguments: of the network, by name.
    """

    parameters: Mapping[str, Any]
    entry: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


def find_state(content: Any, *, where: str) -> State:
    """The parameters in what a file held.

    :raises BadModel: no parameters there.
    """
    if _is_state(content):
        return State(content)
    if isinstance(content, Mapping):
        for entry in _ENTRIES:
            if _is_state(content.get(entry)):
                return State(content[entry], entry, _arguments(content))
    held = f"a dict of {', '.join(map(str, content))}" if isinstance(content, Mapping) else type(content).__name__
    what = f"the file holds neither a module nor a state dict, but {held[:200]}"
    raise BadModel(what, where=where, advice="save the module's state_dict(), or a torch.export program")


def _arguments(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """As ``load_from_checkpoint`` of Lightning hands them to the module."""
    given = checkpoint.get(_HYPER)
    if not isinstance(given, Mapping):
        return {}
    name = checkpoint.get(_HYPER_NAME, "kwargs")
    return {name: given, **given} if isinstance(name, str) and name != "kwargs" else dict(given)


def fill(state: State, options: LoadOptions, *, where: str) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """Build the network with ``options.model`` and load the parameters into it.

    :raises BadModel: no factory, not a module, or every key and shape that does not fit.
    """
    import torch

    if options.model is None:
        what = "the file holds parameters only; the architecture is missing"
        advice = "name what builds the network: --model package.module:factory or --model file.py:factory"
        raise BadModel(what, where=where, advice=advice)
    with quietly(verbose=options.verbose):
        module, taken = build_with(options.model, state.arguments)
    if not isinstance(module, torch.nn.Module):
        raise BadModel(f"--model {options.model} gave a {type(module).__name__}, not a torch.nn.Module", where=where)
    wanted = module.state_dict()
    parameters, notes = _without_prefix(state.parameters, wanted)
    findings = _misfits(parameters, wanted)
    if findings:
        what = f"the parameters do not fit the network of --model {options.model}"
        raise BadModel(what, where=where, findings=tuple(findings))
    module.load_state_dict({key: parameters[key] for key in wanted})
    if taken:
        values = ", ".join(f"{name}={state.arguments[name]!r}" for name in taken)
        notes = (f"the network is made with the checkpoint's hyper-parameters: {values}", *notes)
    return module, notes


def _is_state(content: Any) -> bool:
    import torch

    # get_extra_state() may put other things under this key.
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(key, str) for key in content)
        and all(isinstance(v, torch.Tensor) or k.endswith("_extra_state") for k, v in content.items())
    )


def _without_prefix(state: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The parameters under the network's own names, where the file has them as part of something larger.

    A prefix as DataParallel (``module.``), torch.compile (``_orig_mod.``) and Lightning's modules (the attribute that
    holds the network) put it; a loss or a metric beside the network may have parameters too, which are left out.
    """
    if not wanted or state.keys() >= wanted.keys():
        return state, ()
    first = next(iter(wanted))
    prefixes = [key.removesuffix(first) for key in state if key.endswith("." + first)]
    inner = {p: {k.removeprefix(p): v for k, v in state.items() if k.startswith(p)} for p in prefixes}
    fitting = [p for p in prefixes if inner[p].keys() == wanted.keys()]
    if len(fitting) != 1:
        return state, ()
    prefix = fitting[0]
    notes = [f"the prefix {prefix!r} was taken off the parameters' names"]
    others = [key for key in state if not key.startswith(prefix)]
    notes += [f"parameters that are not the network's are left out: {', '.join(others)}"] if others else []
    return inner[prefix], tuple(notes)


def _misfits(state: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Finding]:
    findings = [Finding(f"missing: {key}") for key in wanted if key not in state]
    findings += [Finding(f"unexpected: {key}") for key in state if key not in wanted]
    for key in wanted:
        have, want = getattr(state.get(key), "shape", None), getattr(wanted[key], "shape", None)
        if have is not None and want is not None and have != want:
            findings.append(Finding(f"wrong shape: {key} is {list(have)} in the file, {list(want)} in the network"))
    return findings
