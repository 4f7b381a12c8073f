"""A JAX model as a jaxpr: JAX's own list of primitive operations, with the parameters inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from convert.errors import BadInput, BadModel, ExportFailed, Finding
from convert.spec import DTYPES
from converters.jax_calls import Call
from converters.jax_networks import Network
from converters.jax_simplify import simplified
from converters.jax_trees import Path, leaves_of
from converters.leaf_names import output_names
from converters.places import last_user_line
from converters.quiet import Attempt, quietly, reason

#: Sizes for open dimensions, to see whether a model runs at all: even ones, as channels are halved and patches cut.
_BASES = (4, 16, 64)


@dataclass(frozen=True)
class Flat:
    """A model as a function of lists.

    :param run: the parameters' leaves, then tensors → the outputs. :param leaves: the parameters' own.
    :param paths: where the outputs stand in what the model gives; filled by each run.
    """

    run: Callable[..., list[Any]]
    leaves: list[Any]
    paths: list[Path]


@dataclass(frozen=True)
class Traced:
    """A model as one flat function.

    :param jaxpr: ``jax.extend.core.ClosedJaxpr`` from the call's tensors to the outputs.
    :param outputs: names, none of them an input's.
    """

    jaxpr: Any
    outputs: tuple[str, ...]
    notes: tuple[str, ...]


def flat(network: Network, state: Any, call: Call) -> Flat:
    """The model as one function of lists; the parameters are of them, as NNX wants its own made in the trace."""
    import jax

    leaves, structure = jax.tree.flatten(state)
    paths: list[Path] = []

    def run(values: Sequence[Any], *tensors: Any) -> list[Any]:
        args, keywords = call.rebuild(tensors)
        pairs = leaves_of(network.apply(jax.tree.unflatten(structure, values), *args, **keywords))
        paths[:] = [path for path, _ in pairs]
        return [leaf for _, leaf in pairs]

    return Flat(run, leaves, paths)


def trace(network: Network, state: Any, call: Call, *, where: str, verbose: bool) -> Traced:
    """
    :raises BadInput: the model does not run on these inputs, or not with open dimensions.
    :raises BadModel: what it gives are no arrays of ours.
    :raises ExportFailed: what it does cannot be written out.
    """
    import jax

    model = flat(network, state, call)
    with quietly(verbose=verbose), Attempt() as attempt, precise():
        sizes = dict(zip(call.symbols, _symbolic(call.symbols), strict=True))
        closed = jax.make_jaxpr(model.run)(model.leaves, *call.sized(sizes))
    if attempt.error is not None:
        raise untraceable(model, call, attempt.error, where) from attempt.error
    names = output_names(model.paths, call.names)
    _vet(call, closed.in_avals[len(model.leaves) :], names, closed.out_avals, where)
    with quietly(verbose=verbose), Attempt() as attempt, precise():
        found, notes = simplified(closed, model.leaves)
    if attempt.error is not None:
        place = last_user_line(attempt.error)
        raise ExportFailed("the model cannot be written out as plain operations", where=place or where,
                           why=reason(attempt.error)) from attempt.error  # fmt: skip
    return Traced(found, tuple(names), notes)


def precise() -> Any:
    """Context for JAX's answers: on the CPU, in full float32."""
    import contextlib

    import jax

    stack = contextlib.ExitStack()
    stack.enter_context(jax.default_device(jax.devices("cpu")[0]))
    stack.enter_context(jax.default_matmul_precision("highest"))
    return stack


def _symbolic(names: Sequence[str]) -> Sequence[Any]:
    import jax

    dims: Sequence[Any] = jax.export.symbolic_shape(",".join(names)) if names else ()
    return dims


def _vet(call: Call, taken: Sequence[Any], names: Sequence[str], avals: Sequence[Any], where: str) -> None:
    """
    :raises BadModel: no output, or dtypes that are not ours.
    """
    if not names:
        raise BadModel("the model returns no array", where=where)
    for spec, aval in zip(call.specs, taken, strict=True):
        if str(aval.dtype) != spec.dtype:
            raise BadInput(f"JAX takes the input {spec.name} of {spec.dtype} for {aval.dtype}", where=where,
                           why="jax_enable_x64 is off", advice=f"give it as {aval.dtype}")  # fmt: skip
    dtypes = [*((s.name, s.dtype) for s in call.specs), *((n, str(a.dtype)) for n, a in zip(names, avals, strict=True))]
    findings = tuple(Finding(f"{name} has the dtype {dtype}") for name, dtype in dtypes if dtype not in DTYPES)
    if findings:
        advice = "split complex numbers into real and imaginary part; use one of " + ", ".join(DTYPES)
        what = "the model's inputs or outputs cannot be used"
        raise BadModel(what, where=where, advice=advice, findings=findings)


def untraceable(model: Flat, call: Call, error: BaseException, where: str) -> BadInput:
    """Why: the inputs, whatever their sizes; or that a dimension is open."""
    import jax

    errors: list[BaseException] = []
    for sizes in _choices(call) if call.symbols else ():
        with quietly(), Attempt() as attempt:
            jax.eval_shape(model.run, model.leaves, *call.sized(sizes))
            names = " and ".join(call.symbols)
            return BadInput(f"the model does not work for every {names}", where=last_user_line(error) or where,
                            why=reason(error), advice="give sizes in --input, or --batch 1")  # fmt: skip
        assert attempt.error is not None  # it was raised
        errors.append(attempt.error)
    return _does_not_run(errors[0] if errors else error, where)


def expected_by(network: Network, call: Call, *, where: str) -> Any:
    """The shapes and dtypes of the parameters that the network has for such inputs.

    :raises BadInput: it cannot be called with them.
    """
    assert network.expected is not None  # the caller asked
    errors: list[BaseException] = []
    for sizes in _choices(call):
        args, keywords = call.rebuild(call.sized(sizes))
        with quietly(), Attempt() as attempt:
            return network.expected(*args, **keywords)
        assert attempt.error is not None  # it was raised
        errors.append(attempt.error)
    raise _does_not_run(errors[0], where) from errors[0]


def _choices(call: Call) -> Iterator[dict[str, int]]:
    """Sizes for the open dimensions."""
    for base in _BASES if call.symbols else (1,):
        yield {name: base + base // 2 * i for i, name in enumerate(call.symbols)}


def _does_not_run(error: BaseException, where: str) -> BadInput:
    advice = "give shapes and dtypes that the call takes"
    if "rng" in reason(error).lower():
        advice = "let the call take deterministic or train and hand it on to what draws random numbers"
    what = "the model itself does not run on these inputs"
    return BadInput(what, where=last_user_line(error) or where, why=reason(error), advice=advice)
