"""Programs of ``jax.export``, of functions and of the fixtures' networks with their trained parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from code_files import FIXTURES, module_of

from convert.spec import TensorSpec
from converters import LoadOptions

#: Sizes of the open dimensions where they are fixed.
SIZES = {"N": 2, "V": 5, "E": 7}


def program_of(function: Callable[..., Any], *inputs: str, fixed: bool = False, **options: Any) -> Any:
    """The function as an ``Exported`` that was written and read.

    :param inputs: dtypes and shapes, as ``--input`` takes them, names left out.
    :param fixed: are open dimensions of the sizes of :data:`SIZES`? :param options: of ``jax.export.export``.
    """
    import jax

    specs = [TensorSpec.parse(text) for text in inputs]
    made = jax.export.export(jax.jit(function), **options)(*shapes_of(specs, fixed=fixed))
    return jax.export.deserialize(made.serialize())


def shapes_of(specs: Sequence[TensorSpec], *, fixed: bool = False) -> list[Any]:
    """As JAX has them: open dimensions of one name are one symbol."""
    import jax

    names = list(dict.fromkeys(name for spec in specs for name in spec.symbols))
    symbols = jax.export.symbolic_shape(",".join(names)) if names else ()
    sizes: dict[Any, Any] = dict(SIZES) if fixed else dict(zip(names, symbols, strict=True))
    return [jax.ShapeDtypeStruct([sizes.get(d, d) for d in spec.shape], spec.dtype) for spec in specs]


def network(name: str, steps: int = 24) -> tuple[Callable[..., Any], list[str]]:
    """A network of ``fixtures/jax_networks.py`` as a function of its inputs, and those as ``--input`` takes them.

    :param steps: of a sequence, where the network takes one.
    """
    import jax

    networks = module_of(FIXTURES / "jax_networks.py")
    inputs = [text.replace("24", str(steps)) for text in networks.INPUTS[name]]
    (file,) = (FIXTURES / "jax").glob(f"{name}.*")
    apply, state = _with_parameters(getattr(networks, name)(), file, inputs)
    # Modules of NNX want their parameters made in the trace: in one of their own, they are.
    inner = jax.jit(lambda parameters, arrays: apply(parameters, *arrays))
    names = ", ".join(text.partition(":")[0] for text in inputs)
    function = eval(f"lambda {names}: inner(state, ({names},))", {"inner": inner, "state": state})
    return function, [text.partition(":")[2] for text in inputs]


def _with_parameters(module: Any, file: Path, inputs: Sequence[str]) -> tuple[Callable[..., Any], Any]:
    from converters.jax_calls import calls_of
    from converters.jax_fitting import state_of, with_leaves
    from converters.jax_networks import network_of
    from converters.jax_params import read_params

    options = LoadOptions(inputs=tuple(map(TensorSpec.parse, inputs)), params=file)
    read, _ = read_params(file, options)
    if isinstance(read, Path):
        module, read = with_leaves(module, read), None
    found = network_of(module, has_params=read is not None, where=str(file))
    call = next(calls_of(found, options, where=str(file)))
    state, _ = state_of(found, read, call, where=str(file))
    return found.apply, state
