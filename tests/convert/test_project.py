"""Projects built with CMake from headers that the installed SOFIE writes: they pass, and fail where they have to."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from convert.errors import WriteError
from convert.project import Array, Vector, write_project
from convert.report import Port
from sofie_bridge.emit import Weights, emit
from sofie_bridge.sofie import Sofie

CMAKE = shutil.which("cmake")
needs_cmake = pytest.mark.skipif(CMAKE is None, reason="needs cmake: pip install sofie-convert[test]")
SYMBOLS = ({"N": 5, "M": 2}, {"N": 1, "M": 7})

#: Graph, constants, and how the weights are kept.
MODELS: dict[str, tuple[str, tuple[str, ...], Weights]] = {
    "single": ("g (float[N,4] x) => (float[N,3] y) { y = Gemm(x, W, B) }", ("W", "B"), "file"),
    "pair": (
        "g (float[N,4] x, float[M,4] y) => (float[N,3] a, float[M,3] b) { a = Gemm(x, W, B)\n b = Gemm(y, V, D) }",
        ("W", "B", "V", "D"),
        "safetensors",
    ),
    "mixed": (
        "g (float[N,4] x, float[3] s) => (float[N,2] v, int64[N,2] i, float[N,3] z)"
        "{ v, i = TopK<axis=1>(x, K)\n h = Gemm(x, W, B)\n z = Mul(h, s) }",
        ("K", "W", "B"),
        "embed",
    ),
    "bits": ("g (float[N,4] x, bool[N,4] m) => (bool[N,4] n) { n = Not(m) }", (), "file"),
}
_RANDOM = np.random.default_rng(5)
CONSTANTS: dict[str, Array] = {
    "W": _RANDOM.standard_normal((4, 3), np.float32),
    "V": _RANDOM.standard_normal((4, 3), np.float32),
    "B": _RANDOM.standard_normal(3, np.float32),
    "D": _RANDOM.standard_normal(3, np.float32),
    "K": np.array([2], np.int64),
}


def port(info: onnx.ValueInfoProto) -> Port:
    kind = info.type.tensor_type
    dims = tuple(d.dim_value if d.HasField("dim_value") else d.dim_param for d in kind.shape.dim)
    return Port(f"model's {info.name}", info.name, str(helper.tensor_dtype_to_np_dtype(kind.elem_type)), dims)


def draw(generator: np.random.Generator, wanted: Port, sizes: Mapping[str, int]) -> Array:
    values = generator.standard_normal([sizes[d] if isinstance(d, str) else d for d in wanted.shape])
    return values > 0 if wanted.dtype == "bool" else values.astype(wanted.dtype)


class Made:
    """A header of SOFIE's with the arguments for its project."""

    def __init__(self, name: str, folder: Path, sofie: Sofie) -> None:
        text, constants, weights = MODELS[name]
        model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 18]>\n{text}')
        model.graph.initializer.extend(numpy_helper.from_array(CONSTANTS[c], c) for c in constants)
        model = onnx.shape_inference.infer_shapes(model)
        folder.mkdir(parents=True)
        emitted = emit(model, name, folder, sofie, weights=weights)
        inputs, outputs = [port(i) for i in model.graph.input], [port(o) for o in model.graph.output]
        reference, generator, vectors = ReferenceEvaluator(model), np.random.default_rng(7), []
        for serial, sizes in enumerate(SYMBOLS):
            fed = {p.cpp: draw(generator, p, sizes) for p in inputs}
            given = zip(outputs, reference.run(None, fed), strict=True)
            vectors.append(Vector(f"random {serial}", sizes, fed, {p.cpp: np.asarray(a) for p, a in given}))
        self.arguments: dict[str, Any] = {
            "name": name,
            "header": emitted.header,
            "weights": emitted.weights,
            "inputs": inputs,
            "outputs": outputs,
            "vectors": vectors,
            "tolerances": {p.cpp: (1e-4, 1e-5) if p.dtype == "float32" else (0.0, 0.0) for p in outputs},
        }

    def write(self, folder: Path, **changed: Any) -> list[Path]:
        return write_project(folder, **{**self.arguments, **changed})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    with Sofie() as sofie:
        return {name: Made(name, tmp_path_factory.mktemp("headers") / name, sofie) for name in MODELS}


def run(*command: str | Path, where: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=where, capture_output=True, text=True, check=False, timeout=300)


def configure(folder: Path, *options: str) -> str:
    assert CMAKE
    wheel = f"-DPython3_EXECUTABLE={sys.executable}"
    done = run(CMAKE, "--fresh", "-B", "build", wheel, *options, where=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def build(folder: Path) -> None:
    assert CMAKE
    done = run(CMAKE, "--build", "build", where=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout + done.stderr


def ctest(folder: Path) -> tuple[bool, str]:
    assert CMAKE
    program = Path(CMAKE).with_name("ctest")
    done = run(program, "--test-dir", "build", "--output-on-failure", "--verbose", where=folder)
    return done.returncode == 0, done.stdout + done.stderr


#: What is done to the vectors of a project that passes, and what the run then says.
BREAKAGES = {
    "number": "random 1, a: max error 1 over 3 numbers (rtol 0.0001, atol 1e-05), 1 outside: WRONG",
    "nan": "max error inf",
    "infinity": "max error inf",
    "short output": "3 numbers, the reference has 2: WRONG",
    "short input": "does not hold 4 numbers",
    "half a number": "cannot read",
    "no output": "a.bin",
    "empty index": "no test vectors",
    "no index": "no test vectors",
    "index without a size": "cannot be read: 1 7",
}


@contextmanager
def damaged(vectors: Path, breakage: str) -> Iterator[None]:
    """Break the second vector in one way; mend it afterwards."""
    output, index, fed = vectors / "1/a.bin", vectors / "index.txt", vectors / "1/x.bin"
    kept = {p: p.read_bytes() for p in (output, index, fed)}
    values = np.frombuffer(kept[output], "<f4")
    with np.errstate(all="raise"):
        wrong = {
            "number": values + np.array([0, 0, 1], "<f4"),
            "nan": np.array([values[0], np.nan, values[2]], "<f4"),
            "infinity": np.array([values[0], -np.inf, values[2]], "<f4"),
            "short output": values[:2],
        }
    match breakage:
        case "short input":
            fed.write_bytes(kept[fed][:12])
        case "half a number":
            output.write_bytes(kept[output][:-2])
        case "no output":
            output.unlink()
        case "empty index":
            index.write_text("folder N M name\n")
        case "no index":
            index.unlink()
        case "index without a size":
            index.write_text("folder N M name\n1 7\n")
        case _:
            output.write_bytes(wrong[breakage].tobytes())
    yield
    for path, content in kept.items():
        path.write_bytes(content)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# ------------------------------------------------------------------------------------------------ built and run


@needs_cmake
@pytest.mark.slow
def test_wheel_then_wrong_then_moved_and_bundled(made: dict[str, Made], tmp_path: Path) -> None:
    """Two inputs, two outputs of one type, two symbols whose orders differ, safetensors."""
    folder = tmp_path / "first place"
    made["pair"].write(folder)
    assert "BLAS: wheel" in configure(folder, "-DMODEL_BLAS=wheel")
    build(folder)
    good, said = ctest(folder)
    assert good, said
    assert re.findall(r"(random \d, [ab]): max error \S+ over (\d+) numbers", said) == [
        ("random 0, a", "15"), ("random 0, b", "6"), ("random 1, a", "3"), ("random 1, b", "21"),
    ]  # fmt: skip

    for breakage, words in BREAKAGES.items():
        with damaged(folder / "vectors", breakage):
            good, said = ctest(folder)
        assert not good, breakage
        assert words in said
    assert ctest(folder)[0], "all mended"

    moved = folder.rename(tmp_path / "second place")
    assert "minimal_blas.cpp" in configure(moved, "-DMODEL_BLAS=bundled")
    build(moved)
    good, said = ctest(moved)
    assert good, said
    assert str(tmp_path).encode() not in b"".join(v for k, v in snapshot(moved).items() if not k.startswith("build"))

    # The plain BLAS stands in for a system's.
    (tmp_path / "lib").mkdir()
    shutil.copy(next(moved.glob("build/*sofie_pair_blas.*")), tmp_path / "lib" / "libblas.a")
    system = ("-DMODEL_BLAS=system", "-DBLA_VENDOR=Generic", f"-DCMAKE_LIBRARY_PATH={tmp_path / 'lib'}")
    assert "BLAS: system" in configure(moved, *system)
    build(moved)
    good, said = ctest(moved)
    assert good, said


@needs_cmake
@pytest.mark.slow
def test_several_in_one_program_with_any_blas(made: dict[str, Made], tmp_path: Path) -> None:
    """One output, a tuple, bools; weights in a file, inside, and none. Parts of one project, as the README says."""
    names = ("single", "mixed", "bits")
    for name in names:
        made[name].write(tmp_path / name)
    # infinities and NaN in the reference are met by the same in the header
    vectors = made["mixed"].arguments["vectors"]
    odd = {"x": np.array([[1, np.inf, 3, -np.inf]], np.float32), "s": np.array([0, np.nan, 1], np.float32)}
    seen = {"v": np.array([[np.inf, 3]], np.float32), "i": np.array([[1, 2]]), "z": np.full((1, 3), np.nan, np.float32)}
    made["mixed"].write(tmp_path / "mixed", vectors=[*vectors, Vector("not finite", {"N": 1}, odd, seen)])
    parts = "".join(f"add_subdirectory({n})\n" for n in names)
    (tmp_path / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.20)\nproject(whole LANGUAGES CXX)\nenable_testing()\n{parts}"
    )
    no_system, no_wheel = (f"-DCMAKE_DISABLE_FIND_PACKAGE_{p}=ON" for p in ("BLAS", "Python3"))
    assert "BLAS: wheel" in configure(tmp_path, no_system)
    assert CMAKE
    refused = run(CMAKE, "--fresh", "-B", "build", "-DMODEL_BLAS=system", no_system, where=tmp_path)
    assert refused.returncode
    assert "No BLAS found with MODEL_BLAS=system" in refused.stderr
    refused = run(CMAKE, "--fresh", "-B", "build", "-DMODEL_BLAS=openblas", where=tmp_path)
    assert refused.returncode
    assert "it can be auto, system, wheel or bundled" in refused.stderr
    assert "BLAS: bundled" in configure(tmp_path, no_system, no_wheel)
    build(tmp_path)
    good, said = ctest(tmp_path)
    assert good, said
    assert "not finite, z: max error 0 over 3 numbers" in said
    assert said.count(": good") == 2 * (1 + 3 + 1) + 3

    # an integer that is off by one where doubles cannot tell
    place = tmp_path / "mixed/vectors/0/i.bin"
    values = np.frombuffer(place.read_bytes(), "<i8").copy()
    values[0] += 1
    place.write_bytes(values.tobytes())
    good, said = ctest(tmp_path)
    assert not good
    assert "random 0, i: max error 1 over 10 numbers (rtol 0, atol 0), 1 outside: WRONG" in said


# ------------------------------------------------------------------------------------------------------ written


def test_files_are_those_named_and_the_same_each_time(made: dict[str, Made], tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    files = made["single"].write(first)
    made["single"].write(second)
    assert snapshot(first) == snapshot(second)
    assert sorted(map(str, files)) == sorted(str(first / p) for p in snapshot(first))
    assert [f.name for f in files[:2]] == ["single.hxx", "single.dat"]
    assert files[0].read_bytes() == made["single"].arguments["header"].read_bytes()
    assert "minimal_blas.cpp" in snapshot(first)


def test_vectors_are_raw_little_endian_with_an_index(made: dict[str, Made], tmp_path: Path) -> None:
    names = ["random\n0 \\", ""]
    vectors = [replace(v, name=n) for v, n in zip(made["pair"].arguments["vectors"], names, strict=True)]
    made["pair"].write(tmp_path, vectors=vectors)
    assert (tmp_path / "vectors/index.txt").read_text() == "folder N M name\n0 5 2 random 0\n1 1 7 -\n"
    stored = np.frombuffer((tmp_path / "vectors/1/y.bin").read_bytes(), "<f4").reshape(7, 4)
    np.testing.assert_array_equal(stored, vectors[1].inputs["y"])


def test_orders_of_sizes_are_the_headers(made: dict[str, Made], tmp_path: Path) -> None:
    """``infer`` takes a size in front of the first tensor that has it, ``Session`` takes them in another order."""
    made["pair"].write(tmp_path)
    main = (tmp_path / "main.cpp").read_text()
    assert "session.infer(c.N, tensor_x.data(), c.M, tensor_y.data())" in main
    assert 'session((folder / "pair.safetensors").string(), M, N);' in main


def test_a_header_without_blas_asks_for_none(made: dict[str, Made], tmp_path: Path) -> None:
    made["bits"].write(tmp_path)
    assert "BLAS" not in (tmp_path / "CMakeLists.txt").read_text()
    assert not (tmp_path / "minimal_blas.cpp").exists()


def test_the_bundled_blas_has_what_headers_declare(made: dict[str, Made], tmp_path: Path) -> None:
    declared = {
        n for m in made.values() for n in re.findall(r'extern "C" void (\w+)', m.arguments["header"].read_text())
    }
    made["single"].write(tmp_path)
    held = set(re.findall(r'^extern "C" void (\w+)', (tmp_path / "minimal_blas.cpp").read_text(), re.MULTILINE))
    assert "sgemm_" in declared
    assert declared <= held


def test_names_of_the_model_do_no_harm_in_the_readme(made: dict[str, Made], tmp_path: Path) -> None:
    port = replace(made["single"].arguments["inputs"][0], name="a`|\n# b")
    made["single"].write(tmp_path, inputs=[port])
    assert "| `a'\\| # b` |\n" in (tmp_path / "README.md").read_text()


def test_what_does_not_fit_is_told_all_at_once(made: dict[str, Made], tmp_path: Path) -> None:
    whole = made["pair"].arguments
    x, y = whole["inputs"]
    first, second = whole["vectors"]
    short = replace(second, inputs={"x": second.inputs["x"][:, :3]}, sizes={"N": 1})
    double = replace(first, outputs={k: v.astype(np.float64) for k, v in first.outputs.items()})
    with pytest.raises(WriteError) as caught:
        made["pair"].write(
            tmp_path / "new",
            name="other",
            weights=None,
            inputs=[x, replace(y, dtype="float16")],
            outputs=whole["outputs"][::-1],
            vectors=[double, short],
            tolerances={"a": (0.0, 0.0)},
        )
    told = [f.what for f in caught.value.findings]
    assert told == [
        "the header has no SOFIE_other::Session",
        "the header reads pair.safetensors",
        "the outputs are not the header's",
        "y is float16, which has no C++ type here",
        "there is no tolerance for b",
        "random 0: y is float32[2, 4], not float16[M,4]",
        "random 0: b is float64[2, 3], not float32[M,3]",
        "random 0: a is float64[5, 3], not float32[N,3]",
        "random 1 does not say the size of M",
        "random 1: x is float32[1, 3], not float32[N,4]",
        "random 1 has no array for y",
    ]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("field", "words"), [("vectors", "no test vectors"), ("inputs", "neither an input")])
def test_nothing_to_compare_or_to_feed_is_an_error(
    made: dict[str, Made], tmp_path: Path, field: str, words: str
) -> None:
    with pytest.raises(WriteError, match=words):
        made["single"].write(tmp_path, **{field: []})


def test_a_file_in_the_way(made: dict[str, Made], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(WriteError, match="taken"):
        made["single"].write(tmp_path / "taken")
