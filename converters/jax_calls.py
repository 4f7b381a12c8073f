"""How a JAX model is called: its arguments as a flat list of named tensors, from specs or from an example."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from convert.errors import BadInput, Finding
from convert.spec import TensorSpec
from converters.base import LoadOptions
from converters.inputs import batched, match_specs
from converters.jax_networks import FUNCTION, Network
from converters.jax_trees import leaves_of
from converters.leaf_names import label
from converters.named_inputs import named
from converters.signature import by_argument

Rebuild = Callable[[Sequence[Any]], tuple[tuple[Any, ...], dict[str, Any]]]


@dataclass(frozen=True)
class Call:
    """One way to call a model.

    :param specs: the tensors in the order of the arguments; every dimension has a size or a name.
    :param rebuild: tensors in that order → positional and keyword arguments.
    :param example: the user's own arrays, where an example was given.
    """

    specs: tuple[TensorSpec, ...]
    rebuild: Rebuild
    notes: tuple[str, ...] = ()
    example: tuple[Any, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.specs)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Names of open dimensions, in order of appearance."""
        return tuple(dict.fromkeys(symbol for spec in self.specs for symbol in spec.symbols))

    def sized(self, sizes: Mapping[str, Any]) -> list[Any]:
        """Shapes and dtypes as JAX has them, with something for each open dimension."""
        import jax

        return [
            jax.ShapeDtypeStruct([d if isinstance(d, int) else sizes[str(d)] for d in spec.shape], spec.dtype)
            for spec in self.specs
        ]


def calls_of(network: Network, options: LoadOptions, *, where: str) -> Iterator[Call]:
    """Every reading of what the user gives, the likelier first.

    :raises BadInput: nothing given, or what does not fit.
    """
    if options.dynamic_shapes is not None:
        advice = "name open dimensions with inputs, as in 'x:float32[N,7]'"
        raise BadInput("dynamic_shapes is of PyTorch's models", where=where, advice=advice)
    if options.example:
        yield _from_example(network, options, where)
        return
    specs = batched(options.inputs, options.batch, where=where)
    takes = network.takes
    if not specs and (takes.arguments or takes.any_number or takes.any_name):
        wanted = " ".join(f"--input '{a.name}:float32[N,7]'" for a in takes.arguments if a.needed) or "--input '...'"
        why = f"the call takes {takes}"
        what = "the shapes of the inputs are not known"
        raise BadInput(what, where=where, why=why, advice=f"write them, as in {wanted}")
    readings, findings = named(specs, takes)
    if not readings:
        advice = f"the call takes {takes}"
        if network.kind == FUNCTION and network.state == ():
            advice += "; --params gives the first one, where that is the parameters"
        raise BadInput("the given inputs do not fit the model", where=where, advice=advice, findings=tuple(findings))
    for reading in readings:
        yield Call(tuple(map(_settled, reading.names, reading.specs)), reading.rebuild, reading.notes)


def _settled(name: str, spec: TensorSpec) -> TensorSpec:
    return replace(spec, name=name, shape=tuple(d or f"{name}_{axis}" for axis, d in enumerate(spec.shape)))


def _from_example(network: Network, options: LoadOptions, where: str) -> Call:
    """The call that the example makes; ``options.inputs`` may name tensors and open dimensions.

    :raises BadInput: the specs are not those of the example's arrays.
    """
    import jax

    if options.batch is not None:
        advice = "give examples with that many rows, and leave the batch out"
        raise BadInput("the batch is that of the example inputs", where=where, advice=advice)
    example = options.example
    nest = ((), dict(example)) if isinstance(example, Mapping) else (tuple(example), {})
    structure = jax.tree.structure(nest)
    pairs = leaves_of(nest)
    names = [label(by_argument(path, network.takes)) for path, _ in pairs]
    arrays = tuple(jax.numpy.asarray(leaf) for _, leaf in pairs)
    own = [TensorSpec(n, str(a.dtype), tuple(a.shape)) for n, a in zip(names, arrays, strict=True)]
    matched, findings = match_specs(options.inputs, names)
    specs = tuple(_settled(s.name, matched.get(s.name, s)) for s in own)
    findings += [f for have, want in zip(own, specs, strict=True) for f in _misfits(want, have)]
    if findings:
        advice = "the example's arrays are " + " ".join(map(str, own))
        raise BadInput("the inputs do not fit the example", where=where, advice=advice, findings=tuple(findings))

    def rebuild(values: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        filled: tuple[tuple[Any, ...], dict[str, Any]] = jax.tree.unflatten(structure, list(values))
        return filled

    return Call(specs, rebuild, example=arrays)


def _misfits(spec: TensorSpec, have: TensorSpec) -> Iterator[Finding]:
    if spec.dtype != have.dtype:
        yield Finding(f"input {spec.name} has the dtype {have.dtype} in the example, not {spec.dtype}")
    if len(spec.shape) != len(have.shape):
        yield Finding(f"input {spec.name} has {len(have.shape)} axes in the example, not {len(spec.shape)}")
        return
    for axis, (want, size) in enumerate(zip(spec.shape, have.shape, strict=True)):
        if isinstance(want, int) and want != size:
            yield Finding(f"axis {axis} of the input {spec.name} has the size {size} in the example, not {want}")
