"""JAX: Flax Linen and NNX modules, Equinox modules and plain functions, with the parameters that files hold."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.errors import BadInput, BadModel, MissingPackage
from converters import jax_networks
from converters.base import Loaded, LoadOptions
from converters.factory import build
from converters.jax_kinds import CHECKPOINT, EXPORTED, is_exported, sniff
from converters.jax_networks import EQUINOX, FUNCTION, LINEN, NNX, Network
from converters.quiet import Attempt, quietly, reason
from converters.vetting import real_inputs, run_checker, vet

if TYPE_CHECKING:
    from converters.jax_calls import Call
    from converters.jax_tracing import Traced

_PACKAGES = ("jax", "jax2onnx", "flax")
_EXTRA = "pip install 'sofie-convert[jax]' (the extra [jax])"


class JaxFrontend:
    """Reads checkpoints of JAX's libraries, and takes their modules, and functions, in memory."""

    name = "jax"
    kinds: tuple[str, ...] = (LINEN, NNX, EQUINOX, FUNCTION, CHECKPOINT, EXPORTED)

    def sniff(self, head: bytes, path: Path) -> str | None:
        """By the files in a folder, or the first bytes."""
        return sniff(head, path)

    def sniff_object(self, source: object) -> str | None:
        """A module, a function, or a pair of one and its parameters; none is JAX's before jax has been imported."""
        return EXPORTED if is_exported(source) else jax_networks.kind_of(source)

    def load(self, source: Any, kind: str, options: LoadOptions) -> Loaded:
        """Open, trace, convert and check.

        :raises convert.errors.LoadError: whatever the file holds.
        """
        where = str(source) if isinstance(source, Path) else f"the {kind} in memory"
        _import_frameworks(where, verbose=options.verbose)
        if kind == EXPORTED:
            return _load_exported(source, options, where)
        params = options.params
        if isinstance(source, Path):
            source, params = _built(source, options), source
        return _load(source, kind, params, options, where)


def _import_frameworks(where: str, *, verbose: bool) -> None:
    """
    :raises MissingPackage: one is not there.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingPackage(f"{', '.join(missing)} needed to read this model", where=where, advice=_EXTRA)
    with quietly(verbose=verbose), Attempt() as attempt:
        import jax  # noqa: F401
    if attempt.error is not None:
        raise MissingPackage("JAX cannot be imported", why=reason(attempt.error), advice=_EXTRA)


def _built(params: Path, options: LoadOptions) -> object:
    """What ``--model`` makes, for a checkpoint given in the model's place.

    :raises BadModel: no factory.
    """
    if options.model is None:
        what = "the checkpoint holds parameters only; the network is missing"
        advice = "name what makes it: --model package.module:factory or --model file.py:factory"
        raise BadModel(what, where=str(params), advice=advice)
    with quietly(verbose=options.verbose):
        return build(options.model)


def _load(source: Any, kind: str, params: Path | None, options: LoadOptions, where: str) -> Loaded:
    from converters.jax_calls import calls_of
    from converters.jax_fitting import state_of, with_leaves
    from converters.jax_params import read_params
    from converters.jax_tracing import trace

    read, notes = (None, ()) if params is None else read_params(params, options)
    if isinstance(read, Path):
        source, read = with_leaves(source, read), None
    network = jax_networks.network_of(source, has_params=read is not None, where=where)
    errors: list[BadInput] = []
    for call in calls_of(network, options, where=where):
        try:
            state, others = state_of(network, read, call, where=where if params is None else str(params))
            traced = trace(network, state, call, where=where, verbose=options.verbose)
        except BadInput as error:
            errors.append(error)
            continue
        said = (*notes, *others, *network.notes, *call.notes, *traced.notes)
        return _export(network, state, call, traced, kind, said, where, options)
    raise errors[0]


def _load_exported(source: Any, options: LoadOptions, where: str) -> Loaded:
    from converters.jax_exported import carried

    found = carried(source, options, where=where)
    said = (*found.notes, *found.traced.notes)
    return _export(found.network, (), found.call, found.traced, EXPORTED, said, where, options)


def _export(
    network: Network,
    state: Any,
    call: Call,
    traced: Traced,
    kind: str,
    notes: tuple[str, ...],
    where: str,
    options: LoadOptions,
) -> Loaded:
    import jax
    import numpy as np

    from converters.jax_export import EXPORTER, OPSET, export
    from converters.jax_reference import JaxReference
    from converters.jax_tracing import flat

    model = export(traced.jaxpr, call.names, traced.outputs, where=where, verbose=options.verbose)
    vet(model, where=where)
    run_checker(model, where=where)
    taken = {value.name for value in real_inputs(model)}
    unused = [f"the input {n} is not used and not an input of the ONNX model" for n in call.names if n not in taken]
    reference = JaxReference(f"jax {jax.__version__}", flat(network, state, call), call, traced.outputs)
    example = {n: np.asarray(a) for n, a in zip(call.names, call.example, strict=False) if n in taken}
    said = (*notes, *unused, f"exported by {EXPORTER}, opset {OPSET}, of a jaxpr traced outside of it")
    return Loaded(model, "jax", kind, EXPORTER, network.name, said, reference, (example,) if example else ())


frontend = JaxFrontend()
