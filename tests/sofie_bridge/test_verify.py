"""Verification: a right header passes, and one that is made wrong by hand does not, whatever is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from small_models import parse

from convert.errors import BadSamples, CompileFailed, RunFailed
from rewrite.passes.infer_shapes import infer_shapes
from sofie_bridge.compare import TOLERANCES
from sofie_bridge.emit import Emitted, emit
from sofie_bridge.noise import flushed, noise
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import Arrays, Sample, make_samples
from sofie_bridge.sofie import Sofie
from sofie_bridge.stored import read_sets
from sofie_bridge.toolchain import find
from sofie_bridge.verify import Verification, verify

TEXT = """(float[2,3] x) => (float[2,2] y, float[2,2] z) <float[3,2] w={1,-2,3,4,5,-6}, float[2] b={0.5,-1}>
    { h = MatMul(x, w) y = Add(h, b) z = Tanh(y) }"""


@dataclass
class Net:
    model: onnx.ModelProto
    emitted: Emitted
    samples: list[Sample]

    def edited(
        self, folder: Path, header: tuple[str, str] | None = None, weights: tuple[str, str] | None = None
    ) -> Emitted:
        """The header with one text in place of another."""
        assert self.emitted.weights is not None
        made = replace(self.emitted, header=folder / "net.hxx", weights=folder / "net.dat")
        for source, target, change in (
            (self.emitted.header, made.header, header),
            (self.emitted.weights, made.weights, weights),
        ):
            assert target is not None
            text = source.read_text()
            if change is not None:
                assert re.search(change[0], text)
                text = re.sub(change[0], change[1], text, count=1)
            target.write_text(text)
        return made

    def verify(self, emitted: Emitted | None = None, **options: object) -> Verification:
        given = emitted or self.emitted
        return verify(self.model, self.model, given, self.samples, find(), **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sofie() -> Iterator[Sofie]:
    with Sofie() as sofie:
        yield sofie


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory, sofie: Sofie) -> Net:
    model = infer_shapes(parse(TEXT))
    return Net(model, emit(model, "net", tmp_path_factory.mktemp("net"), sofie), make_samples(model))


def test_a_right_header(net: Net) -> None:
    seen = net.verify()
    assert seen.failures == ()
    assert seen.culprit is None
    assert seen.reference == "onnxruntime"
    assert seen.samples == tuple(s.name for s in net.samples)
    assert {(m.output, m.edge) for m in seen.measured} == {
        (o, e) for o in ("y", "z") for e in ("rules", "sofie", "header vs exported")
    }
    assert all(m.elements > 0 and m.undecided == 0 for m in seen.measured)
    assert {(m.tolerance.rtol, m.tolerance.atol) for m in seen.measured} == {TOLERANCES["float32"]}


def test_a_header_with_another_operator(net: Net, tmp_path: Path) -> None:
    seen = net.verify(net.edited(tmp_path, header=(r"std::tanh\(", "std::sin(")))
    assert {f.where for f in seen.failures} == {"output 'z', sofie", "output 'z', header vs exported"}
    assert all("elements differ" in f.what and "max |difference|" in f.why for f in seen.failures)
    assert seen.culprit is not None
    assert seen.culprit.name in {s.name for s in net.samples}
    worst = next(m for m in seen.measured if m.output == "z" and m.edge == "sofie")
    assert worst.worst == seen.culprit.name
    assert worst.wrong > 0


def test_weights_that_are_slightly_off(net: Net, tmp_path: Path) -> None:
    """One weight, by one part in a thousand."""
    seen = net.verify(net.edited(tmp_path, weights=(r"-6\.0*e\+00|-6(?=\s)", "-6.006")))
    assert {f.where for f in seen.failures} >= {"output 'y', sofie", "output 'y', header vs exported"}
    assert all(m.wrong == 0 for m in seen.measured if m.edge == "rules")


def test_a_header_that_does_not_compile_throws_or_crashes(net: Net, tmp_path: Path) -> None:
    with pytest.raises(CompileFailed):
        net.verify(net.edited(tmp_path, header=(r"std::tanh\(", "std::nothing(")))
    with pytest.raises(RunFailed, match=r"SIGSEGV|SIGTRAP|SIGILL|SIGABRT"):
        net.verify(net.edited(tmp_path, header=(r"std::tanh\(", "(__builtin_trap(), 0.f) + std::tanh(")))


def test_who_moved_the_numbers(net: Net) -> None:
    """The framework's own answers are compared with the exported model's and with the header's."""

    def framework(arrays: Arrays) -> Arrays:
        answers = OnnxReference(net.model)(arrays)
        return {**answers, "z": answers["z"] + np.float32(0.1)}

    seen = net.verify(framework=framework)
    assert {f.where for f in seen.failures} == {"output 'z', exporter", "output 'z', header vs framework"}


def test_a_rule_that_moved_the_numbers(net: Net) -> None:
    exported = infer_shapes(parse(TEXT.replace("Tanh", "Sigmoid")))
    seen = verify(exported, net.model, net.emitted, net.samples, find())
    assert {f.where for f in seen.failures} == {"output 'z', rules", "output 'z', header vs exported"}


def test_tolerances_of_the_users(net: Net, tmp_path: Path) -> None:
    emitted = net.edited(tmp_path, weights=(r"-6\.0*e\+00|-6(?=\s)", "-6.006"))
    assert net.verify(emitted, rtol=0.1, atol=50.0).failures == ()
    assert net.verify(rtol=0.0, atol=0.0).measured[0].tolerance.rtol == 0


def test_inputs_that_the_reference_cannot_run_are_left_out(net: Net) -> None:
    bad = Sample("user", {"x": np.ones((2, 4), np.float32)})
    seen = replace(net, samples=[*net.samples, bad]).verify()
    assert [name for name, _ in seen.left_out] == ["user"]
    assert "user" not in seen.samples
    with pytest.raises(BadSamples, match="none of the random inputs"):
        replace(net, samples=[bad, *net.samples[3:]]).verify()


def test_inputs_that_the_framework_cannot_run(net: Net) -> None:
    """Numbers of nodes that do not add up: invented inputs are none for the model then, but those of the user are."""

    def framework(arrays: Arrays) -> Arrays:
        if (arrays["x"] > 80).any():
            raise BadSamples("the model itself does not run on these inputs", why="too large")
        return OnnxReference(net.model)(arrays)

    seen = net.verify(framework=framework)
    assert (seen.failures, seen.left_out) == ((), (("large", "too large"),))
    user = Sample("user", {"x": np.full((2, 3), 99, np.float32)}, defined=True)
    with pytest.raises(BadSamples, match="too large"):
        replace(net, samples=[*net.samples, user]).verify(framework=framework)
    with pytest.raises(BadSamples, match="none of the random inputs"):
        replace(net, samples=net.samples[-1:]).verify(framework=framework)


def test_a_framework_that_takes_subnormal_numbers_for_zeros(sofie: Sofie, tmp_path: Path) -> None:
    """y = (1e30 x) 1e10: TensorFlow's zeros for a tiny x are no error, nor are they one that hides others."""
    model = infer_shapes(parse("(float[8] x) => (float[8] y) <float k={1e30}, float l={1e10}>"
                               " { h = Mul(x, k) y = Mul(h, l) }"))  # fmt: skip
    samples = [s for s in make_samples(model) if s.name in ("random 0", "tiny")]
    samples = [replace(s, arrays={"x": s.arrays["x"] * (1 if s.name == "tiny" else 1e-20)}) for s in samples]
    emitted = emit(model, "small", tmp_path, sofie)

    class Framework:
        def __init__(self, factor: float = 1.0, *, flushes: bool) -> None:
            self.factor, self.flushes = np.float32(factor), flushes

        def __call__(self, arrays: Arrays) -> Arrays:
            x = np.where(np.abs(arrays["x"]) < 1e-36, np.float32(0), arrays["x"])
            return {"y": self.factor * OnnxReference(model)({"x": x})["y"]}

    plain = OnnxReference(model)(samples[1].arrays)
    assert float(flushed(OnnxReference(model), samples[1], plain)["y"]) > 100
    assert verify(model, model, emitted, samples, find(), framework=Framework(flushes=True)).failures == ()
    assert verify(model, model, emitted, samples, find(), framework=Framework(1.1, flushes=True)).failures


def test_places_of_numbers_that_are_no_zeros_for_onnx(sofie: Sofie, tmp_path: Path) -> None:
    """Where the k-th number above 0 is: with subnormal numbers as zeros one answer, with all small ones another."""
    tiny = float(np.finfo(np.float32).tiny)
    model = infer_shapes(parse("(float[4] x) => (int64[2] y) <float z={0}, int64[1] k={2}> "
                               "{ c = Greater(x, z) f = Cast<to=1>(c) v, y = TopK(f, k) }"))  # fmt: skip
    emitted = emit(model, "places", tmp_path, sofie)
    given = {"random 0": [0, 1, 2, 0], "tiny": [tiny / 4, tiny, 0, tiny]}
    samples = [Sample(name, {"x": np.array(x, np.float32)}) for name, x in given.items()]

    class Framework:
        def __init__(self, least: float, *, flushes: bool) -> None:
            self.least, self.flushes = least, flushes

        def __call__(self, arrays: Arrays) -> Arrays:
            x = np.where(np.abs(arrays["x"]) < self.least, np.float32(0), arrays["x"])
            return OnnxReference(model)({"x": x})

    assert verify(model, model, emitted, samples, find(), framework=Framework(tiny, flushes=True)).failures == ()
    assert verify(model, model, emitted, samples, find(), framework=Framework(tiny, flushes=False)).failures
    assert verify(model, model, emitted, samples, find(), framework=Framework(1.5, flushes=True)).failures


def test_a_framework_that_keeps_subnormal_numbers_is_held_to_it(sofie: Sofie, tmp_path: Path) -> None:
    """y = (1e30 x) 1e7 of x = 1e-37: zeros are TensorFlow's way, and of PyTorch they would be wrong."""
    model = infer_shapes(parse("(float[8] x) => (float[8] y) <float k={1e30}, float l={1e7}>"
                               " { h = Mul(x, k) y = Mul(h, l) }"))  # fmt: skip
    emitted = emit(model, "kept", tmp_path, sofie)
    samples = [Sample("random 0", {"x": np.full(8, 1e-37, np.float32)})]

    class Framework:
        def __init__(self, *, flushes: bool) -> None:
            self.flushes = flushes

        def __call__(self, arrays: Arrays) -> Arrays:
            return {"y": np.zeros(8, np.float32)}

    for flushes in (True, False):
        seen = verify(model, model, emitted, samples, find(), framework=Framework(flushes=flushes))
        measured = {m.edge: m.wrong for m in seen.measured}
        assert measured["header vs framework"] == (0 if flushes else 8)
        assert measured["header vs exported"] == 0


def test_what_cannot_be_judged_is_not_right(sofie: Sofie, tmp_path: Path) -> None:
    """sin(1e6 x): the reference itself moves by more than the tolerance when its input moves in the last places."""
    model = infer_shapes(parse("(float[8] x) => (float[8] y) <float k={1e6}> { h = Mul(x, k) y = Sin(h) }"))
    samples = make_samples(model)
    seen = verify(model, model, emit(model, "wild", tmp_path, sofie), samples, find())
    assert seen.failures
    assert all("cannot be judged" in f.what for f in seen.failures)
    measured = next(m for m in seen.measured if m.edge == "sofie")
    assert measured.wrong == 0
    assert measured.undecided == measured.elements == 24  # the three random ones; what zeros give says little


def test_scalars_symbols_integers_and_bools(sofie: Sofie, tmp_path: Path) -> None:
    """One header for several kinds: an output without axes, open sizes, a comparison."""
    model = infer_shapes(parse("""(float[N,3] x, float s) => (float[N,3] y, bool[N,3] z, float t) <float two={2}>
        { y = Mul(x, s) z = Greater(y, x) t = Mul(s, two) }"""))  # fmt: skip
    seen = verify(model, model, emit(model, "kinds", tmp_path, sofie), make_samples(model), find())
    assert seen.failures == ()


def test_noise() -> None:
    model = infer_shapes(parse("(float[2] x, int64[2] i) => (float[2] y, int64[2] j, bool[2] b) <float[2] z={1,1}>"
                               " { y = Exp(x) j = Add(i, i) b = Greater(x, z) }"))  # fmt: skip
    ask = OnnxReference(model)
    sample = Sample("s", {"x": np.array([1.0, 10.0], np.float32), "i": np.array([1, 2])})
    moved = noise(ask, sample, ask(sample.arrays))
    assert 0.01 < float(moved["y"]) < 1  # e^10 times 10 times a few units in the last place
    np.testing.assert_array_equal(moved["j"], [False, False])
    np.testing.assert_array_equal(moved["b"], [True, False])
    plain = Sample("s", {"i": np.array([1, 2])})
    assert noise(ask, plain, {"j": np.array([2, 4])}) == {"j": 0.0}


# ---------------------------------------------------------------------------------------------------- the reference


def test_onnxruntime_is_asked_first() -> None:
    model = parse("(float[3] x) => (float[3] y) { y = Neg(x) }")
    ask = OnnxReference(model)
    assert ask.name == "onnxruntime"
    np.testing.assert_array_equal(ask({"x": np.ones(3, np.float32)})["y"], -np.ones(3))


def test_newer_opsets_fall_back_to_onnx() -> None:
    ask = OnnxReference(parse("(float[3] x) => (float[3] y) { y = Neg(x) }", 28))
    assert ask.name == "onnx.reference"
    np.testing.assert_array_equal(ask({"x": np.ones(3, np.float32)})["y"], -np.ones(3))


@pytest.mark.parametrize("opset", [26, 28])
def test_inputs_that_do_not_fit_the_reference(opset: int) -> None:
    ask = OnnxReference(parse("(float[3] x, int64[1] i) => (float[1] y) { y = Gather(x, i) }", opset))
    with pytest.raises(BadSamples, match=ask.name):
        ask({"x": np.ones(3, np.float32), "i": np.array([7])})


def test_operators_that_no_reference_knows() -> None:
    with pytest.raises(BadSamples, match="no reference"):
        OnnxReference(parse("(float[3] x) => (float[3] y) { y = my.Thing(x) }", domains={"my": 1}))


def test_numbers_instead_of_arrays() -> None:
    ask = OnnxReference(parse("(float x) => (float y) { y = Neg(x) }"))
    assert ask({"x": np.float32(2)})["y"] == -2  # type: ignore[dict-item]


# ------------------------------------------------------------------------------------------------ the user's inputs


def test_inputs_from_a_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.ones((2, 3), np.float32))
    ((name, arrays),) = read_sets(tmp_path / "data.npz")
    assert name == "data.npz"
    np.testing.assert_array_equal(arrays["x"], np.ones((2, 3)))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no numbers"])
def test_files_that_are_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(BadSamples, match=r"data\.npz"):
        read_sets(tmp_path / "data.npz")
    with pytest.raises(BadSamples, match=r"missing\.npz"):
        read_sets(tmp_path / "missing.npz")


def test_pickles_in_files_are_not_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.array([{}], dtype=object))
    with pytest.raises(BadSamples):
        read_sets(tmp_path / "data.npz")
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(BadSamples):
        read_sets(tmp_path / "one.npy")
