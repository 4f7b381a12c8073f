"""``--paranoid``: each change to the model is run before and after, in onnxruntime, and the guilty one named."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import onnx
from onnx import helper

from convert.errors import BadSamples, Finding, WrongRewrite
from rewrite.protos import nodes
from rewrite.unsupported import unsupported
from sofie_bridge.compare import Tolerance, compare
from sofie_bridge.noise import noise
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import Array, Arrays, Sample, make_samples
from sofie_bridge.verify import UNDECIDED

#: How often inputs are nudged before a rule is accused: ties of large numbers are broken by few of the nudges.
DRAWS = 8
#: Elements of an input that an error shows.
SHOWN = 12


@dataclass
class OnnxWitness:
    """A :class:`rewrite.witness.Witness` that runs both sides with graph optimisations off.

    :param checked: changes that kept the numbers.
    :param unjudged: changes of which that cannot be told, and why.
    """

    checked: int = 0
    unjudged: list[Finding] = field(default_factory=list)
    #: Changes seen before, with why they cannot be judged where they cannot.
    _seen: dict[bytes, str] = field(default_factory=dict, repr=False)

    def compare(self, before: onnx.ModelProto, after: onnx.ModelProto, *, by: str, what: str, where: str) -> None:
        """Hold ``after`` against ``before`` at the default tolerances, on inputs of :func:`make_samples`.

        :raises WrongRewrite: they differ; with the inputs on which they do.
        """
        sides = (m.SerializeToString(deterministic=True) for m in (before, after))
        key = hashlib.sha256(b"\0".join(sides)).digest()
        if key not in self._seen:
            self._seen[key] = _judge(before, after, _Change(by, what, where))
        if self._seen[key]:
            self.pass_over(by=by, what=what, where=where, why=self._seen[key])
        else:
            self.checked += 1

    @property
    def summary(self) -> str:
        """For the stage's line."""
        unjudged = f", {len(self.unjudged)} could not be" if self.unjudged else ""
        return f"{self.checked} changes checked{unjudged}"

    def pass_over(self, *, by: str, what: str, where: str, why: str) -> None:
        self.unjudged.append(Finding(f"{by} on {what} was not checked", where, why))


@dataclass(frozen=True)
class _Change:
    """Who changed what, and where: what an error says of it."""

    by: str
    what: str
    where: str

    def guilty(self, why: str) -> WrongRewrite:
        return WrongRewrite(
            f"{self.by} changed the numbers of {self.what}",
            where=self.where,
            why=why,
            advice="report this with the model",
        )


class _Trial:
    """Both sides of one change, on one sample after the other."""

    def __init__(self, before: onnx.ModelProto, after: onnx.ModelProto, change: _Change) -> None:
        self.before = before
        self.change = change
        self.reference = OnnxReference(before)
        try:
            self.changed = OnnxReference(after)
        except BadSamples as error:
            raise change.guilty(f"what it made does not run: {error.finding.why}") from error
        if self.reference.name != self.changed.name:  # two programs would be compared, not two models
            self.reference, self.changed = (OnnxReference(m, second=True) for m in (before, after))
        self.inputs = {i.name for i in after.graph.input}  # a pass may take out inputs that nothing reads
        other = self.inputs - {i.name for i in before.graph.input}
        if other:
            raise change.guilty(f"what it made takes other inputs: {', '.join(sorted(other))}")
        self.strict = False
        self.differing = self.elements = 0
        self.may_drop = any(n.op_type == "Dropout" for n in nodes(before.graph))
        self.refused = "there is none"
        self.disputed = ""

    def verdict(self) -> str:
        """Why the change cannot be judged; empty where it kept the numbers.

        :raises WrongRewrite: it did not.
        """
        for sample in _distinct(make_samples(self.before)):
            try:
                expected = self.reference(sample.arrays)
            except BadSamples as error:
                self.refused = error.finding.why  # inputs that the operator itself does not take say nothing
                continue
            if self.may_drop and _moved(expected, self.reference(sample.arrays)):
                return "it gives other numbers each time it runs"
            unfit = next((o.name for o in self.before.graph.output if not _fits(o, expected[o.name])), "")
            if unfit:
                self.refused = f"{unfit!r} gets another shape or dtype by them than it has in the model"
                continue
            self._compare(sample, expected)
        if self.disputed:
            return self.disputed
        if not self.strict:
            return f"{self.reference.name} runs it on none of the inputs: {self.refused}"
        if self.differing > UNDECIDED * self.elements:
            share = f"{self.differing} of {self.elements} elements differ"
            return f"{share}, by no more than they move when the inputs move by four units in the last place"
        return ""

    def _compare(self, sample: Sample, expected: Arrays) -> None:
        try:
            values = self.changed({n: a for n, a in sample.arrays.items() if n in self.inputs})
        except BadSamples as error:
            if self.changed.name != "onnxruntime" or _has_bfloat16(self.before):
                self.refused = f"{self.changed.name} cannot run what was made of it: {error.finding.why}"
                return
            raise self.change.guilty(f"what it made does not run: {error.finding.why}; {_shown(sample)}") from error
        moves: dict[str, Array | float] | None = None
        for name, answer in expected.items():
            tolerance = Tolerance.of(answer.dtype)
            seen = plain = compare(values[name], answer, tolerance, strict=sample.strict)
            if plain.wrong:
                moves = noise(self.reference, sample, expected, draws=DRAWS) if moves is None else moves
                seen = compare(values[name], answer, tolerance, moves[name], strict=sample.strict)
            if not seen.good:
                if not self._is_disputed(sample, name, values[name], answer):
                    raise self.change.guilty(f"output {name!r}: {seen.words}; {_shown(sample)}")
                self.disputed = f"onnxruntime and ONNX's own evaluator do not agree on it (inputs {sample.name!r})"
            elif sample.strict:
                self.strict = True
                self.differing, self.elements = self.differing + plain.wrong, self.elements + plain.elements

    def _is_disputed(self, sample: Sample, name: str, value: Array, answer: Array) -> bool:
        """Do the references differ, so that ``value`` is right by the other one, or on inputs at the edge by none?"""
        try:
            other = OnnxReference(self.before, second=True)(sample.arrays)[name]
        except BadSamples:
            return False
        tolerance = Tolerance.of(answer.dtype)
        if compare(value, other, tolerance, strict=sample.strict).good:
            return True
        return not sample.strict and not compare(other, answer, tolerance, strict=False).good


def _judge(before: onnx.ModelProto, after: onnx.ModelProto, change: _Change) -> str:
    """Why the change cannot be judged; empty where it kept the numbers."""
    drawn = next((n.op_type for n in nodes(before.graph) if _is_random(n)), "")
    if drawn:
        return f"{drawn} is random"
    try:
        trial = _Trial(before, after, change)
    except BadSamples as error:
        return error.finding.why
    return trial.verdict()


def _is_random(node: onnx.NodeProto) -> bool:
    known = unsupported(node.op_type, node.domain)
    return known is not None and known.always and node.op_type != "Dropout"  # which is not at inference


def _moved(once: Arrays, again: Arrays) -> bool:
    return any(a.tobytes() != again[n].tobytes() for n, a in once.items())


def _has_bfloat16(model: onnx.ModelProto) -> bool:
    """onnxruntime computes with it, but its Python interface does not hand such arrays over."""
    kinds = [i.type.tensor_type.elem_type for i in (*model.graph.input, *model.graph.output)]
    return onnx.TensorProto.BFLOAT16 in (*kinds, *(t.data_type for t in model.graph.initializer))


def _fits(info: onnx.ValueInfoProto, array: Array) -> bool:
    """Has the array the dtype and shape that the model declares? ONNX's evaluator goes by numpy's rules."""
    if array.dtype != helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type):
        return False
    if not info.type.tensor_type.HasField("shape"):
        return True
    dims = info.type.tensor_type.shape.dim
    return len(dims) == array.ndim and all(
        not d.HasField("dim_value") or d.dim_value == n for d, n in zip(dims, array.shape, strict=True)
    )


def _distinct(samples: list[Sample]) -> list[Sample]:
    """A model without inputs gives the same numbers on every sample."""
    return samples if any(s.arrays for s in samples) else samples[:1]


def _shown(sample: Sample) -> str:
    """The inputs, the first elements of each."""
    arrays = (
        f"{name} {array.dtype}{list(array.shape)} = {array.reshape(-1)[:SHOWN].tolist()}"
        + ("…" if array.size > SHOWN else "")
        for name, array in sample.arrays.items()
    )
    return f"inputs {sample.name!r}: " + (", ".join(arrays) or "none")
