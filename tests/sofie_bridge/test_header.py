from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import sofie_bridge
from convert.errors import BadSamples, CompileFailed, RunFailed
from convert.spec import TensorSpec

WEIGHTS = "<float[3,2] W = {1,2,3,4,5,6}, float[2] B = {0.5,-1}>"
MLP = f"m (float[1,3] x) => (float[1,2] y) {WEIGHTS} {{ h = MatMul(x, W) z = Add(h, B) y = Relu(z) }}"
OPEN = f"m (float[N,3] x) => (float[N,2] y) {WEIGHTS} {{ h = MatMul(x, W) z = Add(h, B) y = Tanh(z) }}"
TWO = "m (float[2,3] x, float[2,3] w) => (float[2,3] a, float[2,3] b) { a = Add(x, w) b = Mul(x, w) }"
MIXED = """m (float[2,3] x, int64[2] i, bool[2,3] c) => (float[2,3] a, int64[2] j, bool[2,3] g)
           { a = Where(c, x, x) j = Add(i, i) g = Not(c) }"""
CONCAT = "m (float[N,3] x, float[M,3] w) => (float[K,3] y, float[M,3] z) { y = Concat<axis=0>(x, w) z = Relu(w) }"


def samples(model: Path, *sizes: dict[str, int]) -> list[dict[str, Any]]:
    rng = np.random.default_rng(7)
    kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}
    inputs = onnxruntime.InferenceSession(model).get_inputs()
    return [
        {i.name: (rng.standard_normal([s.get(d, d) for d in i.shape]) * 3).astype(kinds[i.type]) for i in inputs}
        for s in sizes
    ]


def agree(model: Path, header: sofie_bridge.Header, given: list[dict[str, Any]]) -> None:
    """Elementwise functions of a few terms: float32 rounding only."""
    session = onnxruntime.InferenceSession(model)
    for sample in given:
        got = header(**sample)
        assert list(got) == [o.name for o in session.get_outputs()]
        for value, want in zip(got.values(), session.run(None, sample), strict=True):
            np.testing.assert_allclose(value.reshape(want.shape), want, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("options", ["kDefault", "kNoWeightFile", "3", "kSafetensorsWeightFile"])
def test_every_way_to_keep_weights(emit: Any, options: str) -> None:
    model, path = emit(MLP, options)
    with sofie_bridge.load(path) as header:
        assert header.name == "model"
        if options == "3":  # kNoSession | kNoWeightFile: no table of dimensions
            assert header.inputs == (TensorSpec("x", "float32", (None,)),)
            np.testing.assert_allclose(header(np.ones((1, 3), np.float32))["y"], [9.5, 11], rtol=1e-6, atol=0)
        else:
            assert header.inputs == (TensorSpec("x", "float32", (1, 3)),)
            assert header.outputs == (TensorSpec("y", "float32", (1, 2)),)
            agree(model, header, samples(model, {}, {}, {}))


@pytest.mark.parametrize("text", [TWO, MIXED])
def test_several_outputs(emit: Any, text: str) -> None:
    model, path = emit(text)
    with sofie_bridge.load(path) as header:
        agree(model, header, samples(model, {}, {}))
        if text is MIXED:
            assert [o.dtype for o in header.outputs] == ["float32", "int64", "uint8"]


def test_symbolic_sizes_grow_and_shrink(emit: Any) -> None:
    model, path = emit(OPEN, "kSafetensorsWeightFile")
    with sofie_bridge.load(path, dims={"N": 2}) as header:
        assert header.symbols == ("N",)
        agree(model, header, samples(model, {"N": 2}, {"N": 9}, {"N": 1}, {"N": 30}, {"N": 9}))


def test_sizes_that_the_constructor_takes_in_another_order(emit: Any) -> None:
    model, path = emit(CONCAT)
    assert "size_t M = 0,\n        size_t N = 0" in path.read_text()
    with sofie_bridge.load(path) as header:
        assert header.symbols == ("N", "M")
        assert header.outputs[0].shape == ("(N + M)", 3)
        agree(model, header, samples(model, {"N": 2, "M": 5}, {"N": 7, "M": 1}, {"N": 7, "M": 5}))


def test_size_that_depends_on_data(emit: Any) -> None:
    model, path = emit("m (float[2,3] x) => (int64[2,K] y) { y = NonZero(x) }")
    with sofie_bridge.load(path) as header:
        x = np.array([[0, 1, 0], [2, 0, 3]], np.float32)
        agree(model, header, [{"x": x}, {"x": x * 0 + 1}])


def test_two_headers_of_one_name_do_not_meet(emit: Any) -> None:
    """Same file name, namespace and functions; one has its state in globals (kNoSession) too."""
    for options in ("kNoWeightFile", "3"):
        _, first = emit("m (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Mul(x, w) }", options, folder="a")
        _, second = emit("m (float[2] x) => (float[2] y) <float[2] w = {5, 7}> { y = Sub(x, w) }", options, folder="b")
        x = np.array([10, 20], np.float32)
        with sofie_bridge.load(first) as one, sofie_bridge.load(second) as other:
            assert one.name == other.name == "model"
            for _ in range(2):
                np.testing.assert_array_equal(one(x)["y"], [10, 40])
                np.testing.assert_array_equal(other(x)["y"], [5, 13])


def test_what_does_not_fit_is_said(emit: Any) -> None:
    _, path = emit(CONCAT)
    x, w = np.zeros((2, 3), np.float32), np.zeros((4, 3), np.float32)
    with sofie_bridge.load(path) as header:
        for wrong, message in (
            ((x,), "missing: w"),
            ((x, w, w), "3 arrays for 2 inputs"),
            ((x, w.astype(np.float64)), "w is float64, not float32"),
            ((x, w[:, :2]), r"w has shape \[4, 2\], not w:float32\[M,3\]"),
            ((x, w[0]), r"w has shape \[3\]"),
        ):
            with pytest.raises(BadSamples, match=message):
                header(*wrong)
        with pytest.raises(BadSamples, match="not an input: v"):
            header(x, w, v=w)
        with pytest.raises(BadSamples, match="given twice: x"):
            header(x, w, x=x)
        strided = header(np.asfortranarray(x), np.zeros((8, 6), np.float32)[::2, ::2])
        assert strided["y"].shape == (6, 3)
    with pytest.raises(RunFailed, match="closed"):
        header(x, w)


def test_one_symbol_has_one_size(emit: Any) -> None:
    _, path = emit("m (float[N] x, float[N] w) => (float[N] y) { y = Add(x, w) }")
    with sofie_bridge.load(path) as header, pytest.raises(BadSamples, match="with N = 2"):
        header(np.zeros(2, np.float32), np.zeros(3, np.float32))


def test_errors_of_headers(emit: Any, write: Any, tmp_path: Path) -> None:
    _, path = emit(MLP, "kDefault")
    with pytest.raises(RunFailed, match="failed to open file"):
        sofie_bridge.load(path, tmp_path / "none.dat")
    with pytest.raises(CompileFailed, match=r"hand.hxx:\d+"):
        sofie_bridge.load(write("return nothing;"))
    throws = 'throw std::runtime_error("no luck");'
    with sofie_bridge.load(write(throws)) as header, pytest.raises(RunFailed, match="no luck"):
        header(np.zeros(2, np.float32))
    with sofie_bridge.load(write("return {1, 2, 3};")) as header, pytest.raises(RunFailed, match="3 elements"):
        header(np.zeros(2, np.float32))
    (tmp_path / "other.hxx").write_text("int f();")
    with pytest.raises(CompileFailed, match="not a header of SOFIE's"):
        sofie_bridge.load(tmp_path / "other.hxx")


def test_header_of_an_older_root(tmp_path: Path) -> None:
    """As ROOT 6.28 wrote them: pointers that are not const, no dimensions, bool vectors."""
    path = tmp_path / "old.hxx"
    path.write_text("""
#include <string>
#include <vector>
namespace TMVA_SOFIE_old{
struct Session {
float tensor_39[2];
Session(std::string filename ="") { if (filename.empty()) filename = "old.dat"; }
std::vector<float> infer(float* tensor_input1){
   for (int i = 0; i < 2; i++) { tensor_39[i] = 2 * tensor_input1[i]; tensor_input1[i] = 0; }
   std::vector<float> ret (tensor_39, tensor_39 + 2);
   return ret;
}
};
}
""")
    with sofie_bridge.load(path) as header:
        assert header.inputs == (TensorSpec("input1", "float32", (None,)),)
        x = np.array([1, 2], np.float32)
        np.testing.assert_array_equal(header(input1=x)["39"], [2, 4])
        np.testing.assert_array_equal(x, [1, 2])


def test_import_is_free() -> None:
    code = "import sys, sofie_bridge; sys.exit('numpy' in sys.modules)"
    root = str(Path(sofie_bridge.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
