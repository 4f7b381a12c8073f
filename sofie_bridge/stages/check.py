"""Custom operators run in a checked build of the header: what they write, and that they stay within their spans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx

from convert.errors import BadSamples, CompileFailed, RunFailed, WrongOperator
from sofie_bridge.emit import Emitted
from sofie_bridge.isolate import run_header
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import Sample
from sofie_bridge.stages.kernel import kernel_of
from sofie_bridge.stages.reference import unverified
from sofie_bridge.toolchain import Toolchain

#: The header's own checks; bounds of spans and vectors in the C++ libraries of gcc and clang.
DEFINITIONS = (
    "SOFIE_CHECK_OPERATORS",
    "_GLIBCXX_ASSERTIONS",
    "_LIBCPP_HARDENING_MODE=_LIBCPP_HARDENING_MODE_EXTENSIVE",
)
_ADVICE = "hold the shape function against what Compute does with its spans"
_CONTRACT = "Compute takes std::span<const T> of each input, then std::span<T> of each output: docs/custom-operators.md"


def check_operators(
    model: onnx.ModelProto, emitted: Emitted, samples: Sequence[Sample], toolchain: Toolchain, *, seconds: float = 300.0
) -> None:
    """Compile the header with checks and run it on the samples; nothing for a model without custom operators.

    :param model: rewritten. :param samples: by its input names; edges are left out, they may be no inputs for it.
    :raises CompileFailed: SOFIE's code does not compile.
    :raises WrongOperator: the user's does not, with the compiler's first error, at the user's line; it writes
        outside of an output, or not all of it; or a check of the C++ library ended it.
    """
    operators = list(dict.fromkeys(f"{n.domain}::{n.op_type}" for n in model.graph.node if kernel_of(n) is not None))
    if not operators:
        return
    names = emitted.named.tensors
    judged = list(_fit(model, [s for s in samples if s.defined or s.name.startswith("random")]))
    if not judged:  # verification says so
        return
    try:
        run_header(
            emitted.header,
            emitted.weights,
            [{names[n]: a for n, a in s.arrays.items() if n in names} for s in judged],
            toolchain=toolchain,
            optimise="-O0 -g1",
            definitions=DEFINITIONS,
            includes=emitted.includes,
            time_limit=seconds,
            memory_limit=None,
        )
    except CompileFailed as error:
        said = error.finding
        if not _is_theirs(said.why, emitted):
            raise
        what = f"the C++ of a custom operator does not compile ({', '.join(operators)})"
        raise WrongOperator(what, where=said.where, why=said.why, advice=_CONTRACT) from error
    except RunFailed as error:
        said = error.finding
        named = next((o for o in operators if said.why.startswith(o)), "")
        what = f"the C++ of {named or 'a custom operator'} does not do what its declaration says"
        raise WrongOperator(what, where=said.where, why=said.why or said.what, advice=_ADVICE) from error


def _fit(model: onnx.ModelProto, samples: Sequence[Sample]) -> Iterator[Sample]:
    """Those that the reference runs on; all where the C++ itself would be the reference."""
    reference = OnnxReference(model) if not unverified(model) else None
    for sample in samples:
        if reference is not None:
            try:
                reference(sample.arrays)
            except BadSamples:
                continue
        yield sample


def _is_theirs(said: str, emitted: Emitted) -> bool:
    """Is one of the compiler's errors in a file of the user's, or in the call of it?"""
    return any(str(folder) in said for folder in emitted.includes) or "Compute" in said
