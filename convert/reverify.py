"""``python -m convert verify model.hxx --onnx model.onnx``: a header made at any time, by anyone, and its model."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from convert.errors import BadSamples, Mismatch, UsageError
from convert.report import finite

if TYPE_CHECKING:
    import onnx

    from sofie_bridge.layers import Layer
    from sofie_bridge.samples import Arrays, Sample
    from sofie_bridge.verify import Verification


@dataclass(frozen=True)
class Verified:
    """What was found: the outputs, and with ``layers`` every tensor in the order of the header."""

    seen: Verification
    layers: tuple[Layer, ...] = ()

    @property
    def first(self) -> Layer | None:
        """The first tensor that diverges."""
        return next((x for x in self.layers if not x.seen.good), None)


def verify_header(
    header: Path,
    model: Path,
    *,
    weights: Path | None = None,
    samples: Path | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    layers: bool = False,
) -> Verified:
    """Compile and run a header, and hold it against onnxruntime's answers for an ONNX model.

    :param weights: the weight file; by default the one that the header names, beside it.
    :param samples: an ``.npz`` of inputs by ONNX name, or one that ``--keep`` wrote; drawn where None.
    :param layers: compare every tensor inside too; their names have to be those of the model.
    :raises UsageError: a file that is not there.
    :raises convert.errors.VerifyError: it cannot be compiled, run or asked.
    """
    from converters import LoadOptions, load
    from sofie_bridge import toolchain
    from sofie_bridge.compare import Tolerance
    from sofie_bridge.isolate import run_header
    from sofie_bridge.layers import layers as inside
    from sofie_bridge.verify import ask, judge

    for path in (header, model, *(p for p in (weights, samples) if p is not None)):
        if not path.is_file():
            raise UsageError(f"no such file: {path}")
    exported = load(model, LoadOptions()).model
    drawn = _samples(exported, samples)
    asked = ask(exported, exported, drawn)
    compiler = toolchain.find()
    ins, outs = _names(header, exported)
    runs = run_header(
        header, weights, [{ins[n]: a for n, a in x.items() if n in ins} for x in asked.inputs], toolchain=compiler
    )
    seen = judge(asked, [{o: run[outs[o]] for o in outs} for run in runs], rtol=rtol, atol=atol)
    if not layers:
        return Verified(seen)
    worst = seen.culprit or next(s for s in drawn if s.name in seen.samples)
    given = {ins[n]: a for n, a in worst.arrays.items() if n in ins}
    limit = None if rtol is None and atol is None else Tolerance(rtol or 0.0, atol or 0.0)
    return Verified(seen, tuple(inside(header, weights, exported, worst, given, compiler, tolerance=limit)))


def _samples(model: onnx.ModelProto, path: Path | None) -> list[Sample]:
    from sofie_bridge.reference import OnnxReference
    from sofie_bridge.samples import fitting_size, make_samples
    from sofie_bridge.stored import read_sets

    def reference(arrays: Arrays) -> object:
        return OnnxReference(model)(arrays)

    given = read_sets(path) if path is not None else []
    return make_samples(model, given, fitting_size(model, reference))


def _names(header: Path, model: onnx.ModelProto) -> tuple[dict[str, str], dict[str, str]]:
    """The header's names of inputs and outputs by the model's: alike but for what is no identifier, else by order.

    :raises BadSamples: not as many as the model has.
    """
    from sofie_bridge import signature
    from sofie_bridge.layers import plain_name

    names = signature.read(header.read_text(encoding="utf-8", errors="surrogateescape"), str(header))
    graph = model.graph
    # sizes of open dimensions are arguments too
    tensors = [a for a in names.arguments if f"tensor_{a}" in header.read_text(encoding="utf-8", errors="replace")]
    found = []
    for kind, ours, theirs in (
        ("inputs", [i.name for i in graph.input], tensors),
        ("outputs", [o.name for o in graph.output], list(names.outputs)),
    ):
        alike = {plain_name(t): t for t in theirs}
        if {plain_name(n) for n in ours} == alike.keys() and len(alike) == len(theirs):
            found.append({n: alike[plain_name(n)] for n in ours})
        elif len(ours) == len(theirs):
            found.append(dict(zip(ours, theirs, strict=True)))
        else:
            why = f"the model has {', '.join(ours)}; the header {', '.join(theirs)}"
            raise BadSamples(f"header and model have not the same {kind}", where=str(header), why=why)
    return found[0], found[1]


def parser(make: type[ArgumentParser] = ArgumentParser) -> ArgumentParser:
    """All options. :param make: the class of parser, which says how errors are told."""
    p = make(prog="python -m convert verify", description="Hold a header made before against its ONNX model.")
    p.add_argument("header", type=Path, metavar="HEADER.hxx")
    p.add_argument("--onnx", type=Path, required=True, metavar="MODEL.onnx", help="the model that it was made from")
    p.add_argument("--inputs", type=Path, metavar="DATA.npz", help="inputs to compare on, by ONNX name (drawn)")
    p.add_argument("--weights", type=Path, metavar="FILE", help="the weight file (the one the header names, beside it)")
    p.add_argument("--layers", action="store_true", help="compare every tensor, and name the first that diverges")
    p.add_argument("--custom-operators", action="append", default=[], metavar="FILE.py", help="operators of your own")
    p.add_argument("--rtol", type=float, help="relative tolerance of float outputs (by dtype)")
    p.add_argument("--atol", type=float, help="absolute tolerance of float outputs (by dtype)")
    p.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    return p


def main(arguments: Sequence[str], make: type[ArgumentParser] = ArgumentParser) -> int:
    """The command line; 0 where all is right.

    :raises Mismatch: the numbers differ (exit code 5).
    """
    from converters.custom_operators import of_the_users

    options = parser(make).parse_args(list(arguments))
    with of_the_users(options.custom_operators):
        found = verify_header(
            options.header, options.onnx, weights=options.weights, samples=options.inputs, rtol=options.rtol,
            atol=options.atol, layers=options.layers,
        )  # fmt: skip
    if options.json is not None:
        from convert.files import publish_text

        publish_text(options.json, json.dumps(finite(asdict(found)), indent=1, default=str) + "\n")
    sys.stdout.write("".join(f"{line}\n" for line in _lines(found)))
    failures = found.seen.failures
    if failures or found.first is not None:
        first = f"the first tensor that diverges is {found.first.tensor!r}, output of {found.first.operator}: " \
            f"{found.first.seen.words}" if found.first is not None else ""  # fmt: skip
        raise Mismatch(
            "the header's numbers are not the model's", where=str(options.header), why=first, findings=failures
        )
    return 0


def _lines(found: Verified) -> list[str]:
    seen = found.seen
    lines = [
        f"{m.output}: max |difference| {m.absolute:.3g} (rtol {m.tolerance.rtol:g}, atol {m.tolerance.atol:g}), "
        f"{m.wrong} elements wrong, {m.undecided} undecided"
        for m in seen.measured
        if m.edge == "header vs exported"
    ]
    lines.append(f"against {seen.reference}, {len(seen.samples)} sets of inputs")
    width = max((len(x.tensor) for x in found.layers), default=0)
    return lines + [
        f"  {x.tensor:<{width}}  {x.operator:<16} {'right' if x.seen.good else 'WRONG'}, {x.seen.absolute:.3g}"
        for x in found.layers
    ]
