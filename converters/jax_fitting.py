"""Parameters of a file put into the places that a network has for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as File
from typing import Any

from convert.errors import BadModel, Finding
from converters.jax_calls import Call
from converters.jax_networks import EQUINOX, LINEN, Network, kind_of
from converters.jax_tracing import expected_by
from converters.jax_trees import Path, leaves_of, text
from converters.quiet import Attempt, reason

#: Where training loops keep the parameters beside other things.
_ENTRIES = ("params", "variables", "model", "state", "ema_params")
#: Flax's boxes: what they hold goes by the box's own name.
_BOXED = ("value", "raw_value")


def with_leaves(module: Any, file: File) -> Any:
    """The Equinox module with the arrays of a file of ``equinox.tree_serialise_leaves``, which has no names.

    :raises BadModel: another kind of module, or other arrays.
    """
    if kind_of(module) != EQUINOX:
        advice = "give the parameters as a nest with names: msgpack, Orbax, safetensors or .npz"
        what = "a file of numpy arrays without names fits Equinox modules only"
        raise BadModel(what, where=str(file), advice=advice)
    import equinox

    with Attempt() as attempt:
        return equinox.tree_deserialise_leaves(str(file), module)
    what = "the parameters do not fit the model"
    raise BadModel(what, where=str(file), why=reason(attempt.error)) from attempt.error


def state_of(network: Network, loaded: Any, call: Call, *, where: str) -> tuple[Any, tuple[str, ...]]:
    """The parameters to call the network with, and notes.

    :param loaded: what a file held; None where there is none.
    :raises BadModel: there are none, or they do not fit.
    :raises BadInput: the network cannot be called with these inputs.
    """
    import jax

    given = network.state if loaded is None else loaded
    if network.expected is None:
        return given, ()
    expected = expected_by(network, call, where=where)
    leaves = jax.tree.leaves(expected if given is None else given)
    if (given is None and leaves) or any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves):
        advice = "give the trained ones: --params FILE, or convert((module, variables)) from Python"
        raise BadModel("the model's parameters are not given", where=where, advice=advice)
    return (expected, ()) if given is None else fit(given, expected, network.kind, where=where)


def fit(loaded: Any, expected: Any, kind: str, *, where: str) -> tuple[Any, tuple[str, ...]]:
    """The loaded arrays in a nest like the expected one, and notes.

    :param expected: a nest of arrays, or of their shapes and dtypes.
    :raises BadModel: every leaf that is missing, unexpected, or of another shape.
    """
    import jax

    structure = jax.tree.structure(expected)
    wanted = {_plain(path): leaf for path, leaf in leaves_of(expected)}
    found, notes = _chosen(loaded, wanted, kind)
    findings = _misfits(found, wanted)
    if findings:
        what = "the parameters do not fit the model"
        raise BadModel(what, where=where, findings=tuple(findings), advice=_advice(findings))
    return jax.tree.unflatten(structure, [_cast(found[path], leaf) for path, leaf in wanted.items()]), notes


def _plain(path: Path) -> Path:
    return tuple(str(word) for word in (path[:-1] if path[-1:] and path[-1] in _BOXED else path))


def _leaves(nest: Any) -> dict[Path, Any]:
    return {_plain(path): leaf for path, leaf in leaves_of(nest)}


def _chosen(loaded: Any, wanted: Mapping[Path, Any], kind: str) -> tuple[dict[Path, Any], tuple[str, ...]]:
    """The part of a checkpoint that the network's parameters are in."""
    whole = _leaves(loaded)
    tops = {str(path[0]) for path in wanted if path}
    readings = [whole, *({p[1:]: v for p, v in whole.items() if p[0] == e} for e in _ENTRIES)]
    if kind == LINEN and tops == {"params"}:  # the parameters alone, without the name of their collection
        readings += [{("params", *p): v for p, v in r.items()} for r in list(readings)]
    best = max(readings, key=lambda r: len(r.keys() & wanted.keys()))
    others = sorted({str(path[0]) for path in best.keys() - wanted.keys() if path and path[0] not in tops})
    left_out = [other for other in others if tops & {p[0] for p in best if p}]
    notes = (f"in the file and not of the model, left out: {', '.join(left_out)}",) if left_out else ()
    return {p: v for p, v in best.items() if not p or p[0] not in left_out}, notes


def _misfits(found: Mapping[Path, Any], wanted: Mapping[Path, Any]) -> list[Finding]:
    findings = [Finding(f"missing: {text(path)}, of shape {_shape(leaf)}")
                for path, leaf in wanted.items() if path not in found]  # fmt: skip
    findings += [Finding(f"unexpected: {text(path)}, of shape {_shape(leaf)}")
                 for path, leaf in found.items() if path not in wanted]  # fmt: skip
    for path, leaf in wanted.items():
        if path in found and _shape(found[path]) != _shape(leaf):
            findings.append(
                Finding(f"wrong shape: {text(path)} is {_shape(found[path])} in the file, {_shape(leaf)} in the model")
            )
    return findings


def _shape(leaf: Any) -> list[int]:
    return list(getattr(leaf, "shape", ()))


def _advice(findings: Sequence[Finding]) -> str:
    lost = [f.what for f in findings if f.what.startswith("missing: batch_stats/")]
    if len(lost) == len(findings):
        return "save all of the variables, {'params': ..., 'batch_stats': ...}, not the parameters alone"
    return "are these parameters of this model, made with the same arguments?"


def _cast(array: Any, like: Any) -> Any:
    """In the model's own dtype: a checkpoint may be coarser or finer. Keys of random numbers stay what they are."""
    import jax

    is_key = jax.dtypes.issubdtype(like.dtype, jax.dtypes.prng_key)
    return array if is_key else jax.numpy.asarray(array, like.dtype)
