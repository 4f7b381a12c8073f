"""What a Keras or TensorFlow model says of its inputs, and what the user says, made one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from convert.errors import BadInput, Finding
from convert.spec import TensorSpec
from converters.base import LoadOptions
from converters.inputs import fix_batch, match_specs, misfits
from converters.tf_export import Call

#: Sizes as a model has them: None is open. None for all of them: not even their number is known.
Shape = Sequence[int | str | None] | None


def settle(
    names: Sequence[str],
    dtypes: Sequence[str],
    shapes: Sequence[Shape],
    run: Callable[[Sequence[Any]], dict[str, Any]],
    options: LoadOptions,
    *,
    where: str,
) -> Call:
    """The call with a size or a name for every dimension; every open first axis is the batch.

    It has the size or the name that the user gives to one of them, else ``--batch``, else ``N``.

    :raises BadInput: all that does not fit.
    """
    matched, findings = match_specs(options.inputs, names)
    text = " ".join(map(_text, names, dtypes, shapes))
    own = []
    for name, dtype, shape in zip(names, dtypes, shapes, strict=True):
        if shape is None and name not in matched:
            advice = f"give its shape, as in --input '{name}:{dtype}[N,3]'"
            findings.append(Finding(f"the model does not say how many axes the input {name} has", advice=advice))
        known = shape if shape is not None else (None,) * len(matched[name].shape) if name in matched else ()
        own.append(TensorSpec(name, dtype, tuple(known)))
    findings += [f for spec in own if spec.name in matched for f in misfits(spec, matched[spec.name])]
    findings += fix_batch(own, matched, options.batch)
    if findings:
        what = "the given inputs do not fit the model"
        raise BadInput(what, where=where, advice=f"the model's inputs are {text}", findings=tuple(findings))
    batch = _batch(own, matched)
    settled = [_sizes(spec, matched.get(spec.name, spec), batch) for spec in own]
    return Call(tuple(names), tuple(dtypes), tuple(settled), run)


def _batch(own: Sequence[TensorSpec], matched: Mapping[str, TensorSpec]) -> int | str:
    """What the user calls the batch; N where that is nothing, or more than one thing."""
    given = {matched[s.name].shape[0] for s in own if s.shape and s.shape[0] is None and s.name in matched} - {None}
    (found,) = given if len(given) == 1 else ("N",)
    return found or "N"


def _sizes(own: TensorSpec, given: TensorSpec, batch: int | str) -> tuple[int | str, ...]:
    sizes = []
    for axis, (have, want) in enumerate(zip(own.shape, given.shape, strict=True)):
        name = re.sub(r"\W", "_", f"{own.name}_{axis}", flags=re.ASCII)
        made_up = batch if axis == 0 else name if name[0].isalpha() else f"d_{name}"
        sizes.append(next(s for s in (want, have, made_up) if s is not None))
    return tuple(sizes)


def _text(name: str, dtype: str, shape: Shape) -> str:
    return f"{name}:{dtype}[...]" if shape is None else str(TensorSpec(name, dtype, tuple(shape)))
