"""Programs of jax.export: what is carried over, and what is refused by its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from exported_programs import network, program_of

from convert.errors import BadInput, BadModel, ExportFailed, LoadError, UnknownFile
from convert.spec import TensorSpec
from converters import Loaded, LoadOptions, load
from converters.stablehlo.combining import adds_exponents, keys_of_sort, which_extreme
from converters.stablehlo.expansions import Expansion, is_believed
from sofie_bridge.reference import OnnxReference

jax = pytest.importorskip("jax", reason="the extra jax is not installed")
jnp, lax = jax.numpy, jax.lax

X = "float32[N,3,4]"


def options(*inputs: str, **others: Any) -> LoadOptions:
    return LoadOptions(inputs=tuple(map(TensorSpec.parse, inputs)), **others)


def agrees(loaded: Loaded, rows: int = 3) -> None:
    """onnxruntime gives the numbers of the program itself."""
    draw = np.random.default_rng(1)
    inputs = {}
    for value in loaded.model.graph.input:
        shape = [d.dim_value or rows for d in value.type.tensor_type.shape.dim]
        floats = value.type.tensor_type.elem_type == 1
        inputs[value.name] = (
            draw.normal(size=shape).astype(np.float32) if floats else draw.integers(-3, 3, shape).astype(np.int32)
        )
    assert loaded.reference is not None
    expected, found = loaded.reference(inputs), OnnxReference(loaded.model)(inputs)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5)


# ------------------------------------------------------------------------------------------- what is carried over


@pytest.mark.parametrize(("name", "fixed"), [("recurrent", False), ("interaction", True)])
def test_network(name: str, fixed: bool, tmp_path: Path) -> None:  # noqa: FBT001
    function, inputs = network(name, steps=3)
    file = tmp_path / "tagger.jaxexport"
    file.write_bytes(program_of(function, *inputs, fixed=fixed).serialize())
    loaded = load(file)
    assert (loaded.kind, loaded.frontend, loaded.name) == ("jax.export program", "jax", "tagger")
    assert all("jax_networks.py" in n.doc_string for n in loaded.model.graph.node if n.doc_string)
    assert any("jax_networks.py" in n.doc_string for n in loaded.model.graph.node)
    agrees(loaded)


#: Functions of x: float32[N,3,4], each for an operation of StableHLO or a form of one; what comes of it in ONNX.
FORMS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a sigmoid read back": (jax.nn.silu, "Sigmoid Mul"),
    "erfc read back": (lambda x: jax.nn.gelu(x, approximate=False), "Mul Neg Mul Erf Sub Mul"),
    "asinh read back": (jnp.arcsinh, "Asinh"),
    "elementwise": (lambda x: jnp.where(x > 0, jnp.floor(x) % 3, jnp.abs(x) ** 0.5), ""),
    "spread numbers": (lambda x: jnp.maximum(2 * x + 1, 0), "Mul Add Relu"),
    "open sizes as numbers": (lambda x: x.sum() / x.shape[0] + x.shape[0] // 2, ""),
    "open sizes in shapes": (lambda x: jnp.concatenate([x, jnp.ones((x.shape[0], 3, 4))]).reshape(-1, 6), ""),
    "slices": (lambda x: (x[:, ::2], x[1:], x[:-1], jnp.roll(x, 2)), ""),
    "pad, reverse and transpose": (lambda x: jnp.pad(x, ((0, 0), (1, 2), (0, 0)))[:, ::-1].transpose(2, 0, 1), ""),
    "reductions": (lambda x: (x.max(0), x.prod(1), x.min(), (x > 0).any(1), (x > 0).all()), ""),
    "argmax and argmin": (lambda x: (jnp.argmax(x, 2), jnp.argmin(x, 1)), ""),
    "cumulative": (lambda x: (jnp.cumsum(x, 1), lax.cummax(x, 2, reverse=True), lax.cumlogsumexp(x, 1)), ""),
    "windows": (lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2), (1, 1, 1), "VALID"), ""),
    "sorts": (lambda x: (jnp.sort(x, 1), jnp.argsort(x, 2), lax.top_k(x, 2)), ""),
    "products": (lambda x: jnp.einsum("nij,nik->njk", x, x) @ jnp.ones((4, 2)), ""),
    "convolution": (lambda x: lax.conv_general_dilated(x, jnp.ones((2, 3, 2)), (1,), "SAME", rhs_dilation=(2,)), ""),
    "gather": (lambda x: jnp.take(x, jnp.array([2, 0, 2]), axis=1), ""),
    "scatter": (lambda x: x.at[:, jnp.array([2, 0])].add(1.5), ""),
    "a slice by numbers": (lambda x: lax.dynamic_slice_in_dim(x, jnp.argmax(x[0, 0]), 2, 1), ""),
    "a start below zero": (lambda x: lax.dynamic_slice_in_dim(x, jnp.argmax(x[0, 0]) - 7, 2, 1), ""),
    "branches": (lambda x: lax.cond(x.sum() > 0, lambda y: y + 1, lambda y: y * 2, x), ""),
    "one of three": (lambda x: lax.switch(jnp.argmax(x[0, 0]) - 1, [jnp.sin, jnp.cos, jnp.tanh], x), ""),
    "a loop of known steps": (lambda x: lax.fori_loop(0, 3, lambda i, y: y * 1.5 + i, x), "Mul Add Mul Add Mul Add"),
    "a scan backwards": (lambda x: lax.scan(lambda c, r: (c + r, c * r), x[:, 0], x.transpose(1, 0, 2),
                                            reverse=True), ""),
    "a scan that counts": (lambda x: lax.scan(lambda c, r: (c + r[0], c * r[1]), x[:, 0],
                                              (x.transpose(1, 0, 2), jnp.arange(3.0))), ""),
    "rows by a counter, backwards": (lambda x: lax.fori_loop(0, 3, lambda i, c: c * i + lax.dynamic_index_in_dim(
        x, 2 - i, 1, keepdims=False), x[:, 0]), ""),
    "rows of the first axis, backwards": (lambda x: lax.fori_loop(0, 3, lambda i, c: c * i + x[0][2 - i], x[0, 0]), ""),
    "random numbers that are known": (lambda x: x + jax.random.normal(jax.random.key(3), (3, 4)), "Add"),
    "bfloat16": (lambda x: (jnp.round(x).astype(jnp.bfloat16) * jnp.array([1.5, 2.5, 3, 4], jnp.bfloat16))
                 .astype(jnp.float32), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_form(name: str) -> None:
    function, gives = FORMS[name]
    loaded = load(program_of(function, X))
    assert gives in ("", " ".join(n.op_type for n in loaded.model.graph.node))
    agrees(loaded)


def test_linear_equations() -> None:
    def model(x: Any) -> Any:
        square = x @ x.T + jnp.eye(3)
        return jnp.linalg.solve(square, x), jnp.linalg.cholesky(square), jnp.linalg.det(x)

    agrees(load(program_of(model, "float32[3,3]")))


def test_names_are_those_of_the_functions_arguments() -> None:
    def model(track: Any, vertex: dict[str, Any], unused: Any) -> dict[str, Any]:
        return {"sum": track + vertex["z"], "track": 2 * track}

    shape = jax.ShapeDtypeStruct((3,), jnp.float32)
    exported = jax.export.export(jax.jit(model))(shape, {"z": shape}, unused=shape)
    loaded = load(exported)
    assert [v.name for v in loaded.model.graph.input] == ["track", "vertex_z"]
    assert [v.name for v in loaded.model.graph.output] == ["sum", "track_"]
    assert "the input unused is not used and not an input of the ONNX model" in loaded.notes
    agrees(loaded)


def test_sizes_and_names_of_inputs() -> None:
    def shapes(loaded: Loaded) -> dict[str, list[Any]]:
        return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
                for v in loaded.model.graph.input}  # fmt: skip

    program = program_of(lambda x, y: (x + 1, x * y[:, None]), "float32[N,4]", "float32[N]")
    assert shapes(load(program)) == {"x": ["N", 4], "y": ["N"]}
    assert shapes(load(program, options("x:float32[7,4]"))) == {"x": [7, 4], "y": [7]}
    assert shapes(load(program, options(batch=5))) == {"x": [5, 4], "y": [5]}
    renamed = load(program, options("hits:float32[B,4]", "weights:float32[B]"))
    assert shapes(renamed) == {"hits": ["B", 4], "weights": ["B"]}
    agrees(renamed)


def test_sizes_that_a_program_asserts() -> None:
    (n,) = jax.export.symbolic_shape("N", constraints=["N>=4"])
    program = jax.export.export(jax.jit(lambda x: x[:4]))(jax.ShapeDtypeStruct((n, 2), jnp.float32))
    loaded = load(program)
    assert "the program asserts, and the header does not: sizes have to be N>=4" in loaded.notes
    agrees(loaded, rows=5)
    assert any("B>=4" in note for note in load(program, options("y:float32[B,2]")).notes)
    agrees(load(program, options("x:float32[6,2]")))
    said = refused(ExportFailed, program, options("x:float32[2,2]"))
    assert "the sizes are not those that the program is for" in said
    assert "N>=4" in said


def test_a_size_that_is_no_name_wants_a_number() -> None:
    (n,) = jax.export.symbolic_shape("N")
    program = jax.export.export(jax.jit(lambda x: x.reshape(2, -1)))(jax.ShapeDtypeStruct((2 * n,), jnp.float32))
    assert "the input x has the size 2*N" in refused(BadInput, program, options())
    agrees(load(program, options("x:float32[6]")))


def test_platforms() -> None:
    def model(x: Any) -> Any:
        return lax.platform_dependent(x, cpu=jnp.sin, cuda=jnp.cos)

    both = load(program_of(model, X, platforms=["cuda", "cpu"]))
    assert [n.op_type for n in both.model.graph.node] == ["Sin"]
    agrees(both)
    other = load(program_of(jnp.tanh, X, platforms=["cuda"]))
    assert any("was exported for cuda; it is run on the CPU" in note for note in other.notes)
    agrees(other)
    said = refused(BadModel, program_of(jnp.tanh, X, platforms=["cuda", "tpu"]), options())
    assert "it is for the platforms cuda, tpu, none of them cpu" in said


# ----------------------------------------------------------------------------------------------- what is refused


def refused(kind: type[LoadError], source: Any, given: LoadOptions) -> str:
    with pytest.raises(kind) as caught:
        load(source, given)
    return str(caught.value)


def test_operations_that_nothing_translates_are_named_with_their_places() -> None:
    def model(x: Any) -> Any:
        y = jnp.linalg.svd(x @ x.transpose(0, 2, 1))[1]
        return y, jnp.fft.fft(x).real

    said = refused(ExportFailed, program_of(model, X), options())
    assert "stablehlo.custom_call of lapack_sgesdd_ffi has no translation, at" in said
    assert "stablehlo.fft has no translation, at" in said
    assert "gives numbers that are not taken: tensor<?x3x4xcomplex<f32>>, at" in said
    assert "test_jax_exported.py:" in said
    assert "give the function that it was exported from" in said


def test_forms_that_nothing_translates_are_named_with_their_places() -> None:
    def model(x: Any) -> Any:
        return lax.reduce_window(x, 0.0, lambda a, b: a + 2 * b, (1, 2, 2), (1, 1, 1), "VALID")

    said = refused(ExportFailed, program_of(model, X), options())
    assert "stablehlo.reduce_window: the window is reduced in a way that has no name, at" in said
    assert "test_jax_exported.py:" in said
    said = refused(ExportFailed, program_of(lambda x: jnp.roll(x, 1, axis=0), X), options())
    assert "which of two sizes is larger" in said


def test_programs_that_are_no_function_of_arrays_on_one_cpu() -> None:
    program = program_of(jnp.tanh, X)
    two = dataclasses.replace(program, nr_devices=2, unordered_effects=program.in_avals)
    said = refused(BadModel, two, options())
    assert "it is for 2 devices together" in said
    assert "it has effects beside its outputs" in said
    complex_ = program_of(lambda x: lax.complex(x, x), X)
    assert "output 0 has the dtype complex64" in refused(BadModel, complex_, options())
    with jax.enable_x64(True):
        wide = program_of(jnp.tanh, "float64[N]")
    assert "input 0 has the dtype float64" in refused(BadModel, wide, options())
    other = dataclasses.replace(program, calling_convention_version=99)
    said = refused(BadModel, other, options())
    assert "it is of calling convention 99, and jax reads" in said


def test_damaged_files(tmp_path: Path) -> None:
    whole = program_of(jnp.tanh, X).serialize()
    file = tmp_path / "program"
    for size in (len(whole) // 2, len(whole) - 200):
        file.write_bytes(whole[:size])
        assert "cannot be read: damaged, or of another version of JAX?" in refused(BadModel, file, options())
    broken = bytearray(whole)
    place = whole.index(b"StableHLO_v") + 100
    broken[place : place + 40] = bytes(40)
    file.write_bytes(broken)
    assert "damaged" in refused(BadModel, file, options())
    file.write_bytes(whole[:40])
    refused(UnknownFile, file, options())


def test_a_class_that_is_not_known_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jax._src.export import _export

    class Hits(NamedTuple):
        energy: Any

    monkeypatch.setattr(_export, "serialization_registry", dict(_export.serialization_registry))
    monkeypatch.setattr(_export, "deserialization_registry", dict(_export.deserialization_registry))
    jax.export.register_namedtuple_serialization(Hits, serialized_name="Hits")
    exported = jax.export.export(jax.jit(lambda hits: hits.energy + 1))(Hits(jnp.ones(3)))
    file = tmp_path / "program"
    file.write_bytes(exported.serialize())
    agrees(load(file))
    _export.deserialization_registry.clear()
    said = refused(BadModel, file, options())
    assert "takes or gives a class that is not known here" in said
    assert "Hits" in said


def test_inputs_that_are_not_the_programs() -> None:
    program = program_of(jnp.tanh, X)
    said = refused(BadInput, program, options("y:float32[N,3,4]", "x:int32[N,3,5]"))
    assert "there is no input y" in said
    assert "input x has the dtype float32, not int32" in said
    assert "axis 2 of the input x has the fixed size 4, not 5" in said
    assert "the program's inputs are x:float32[N,3,4]" in said
    others: tuple[dict[str, Any], ...] = ({"example": (np.ones(3),)}, {"params": Path("p.npz")}, {"model": "m.py:make"})
    for given in others:
        assert "own code, shapes and parameters" in refused(BadInput, program, LoadOptions(**given))
    twice = program_of(lambda x, y: x + y, "float32[N]", "float32[N]")
    assert "the dimension N is given as 3 and as 4" in refused(BadInput, twice, options("x:float32[3]", "y:float32[4]"))


# ----------------------------------------------------------------------------------------------- what regions say


def test_a_name_is_not_believed_where_the_numbers_are_others() -> None:
    x = jnp.ones((2, 3))

    def believed(function: Callable[[Any], Any]) -> bool:
        return is_believed(Expansion("erf", (), (), None), function, x)

    assert believed(lax.erf)
    assert believed(lambda x: 1 - lax.erfc(x))
    assert not believed(jnp.tanh)
    assert not believed(lambda x: lax.erf(x) * jnp.arange(3.0))
    assert not believed(lambda x: lax.erf(x).reshape(3, 2))


def test_what_a_region_does_is_told_by_its_answers() -> None:
    f, i = np.dtype(np.float32), np.dtype(np.int32)

    def larger(x: Any, m: Any, y: Any, n: Any) -> list[Any]:
        first = (x > y) | (x != x)
        return [jnp.where(first, x, y), jnp.where(first | ((x == y) & (m < n)), m, n)]

    def last(x: Any, m: Any, y: Any, n: Any) -> list[Any]:
        return [jnp.where(x >= y, x, y), jnp.where(x >= y, n, m)]

    assert which_extreme(larger, [f, i]) == "argmax"
    assert which_extreme(last, [f, i]) == ""
    assert keys_of_sort(lambda x, y: [x < y], [i]) == (1, False)
    assert keys_of_sort(lambda x, y: [y < x], [i]) == (1, True)
    assert keys_of_sort(lambda x, y: [x < y], [f]) is None  # numbers that are none come last in JAX
    assert keys_of_sort(lambda x, y, v, w: [(x < y) | ((x == y) & (v < w))], [i, i]) == (2, False)
    assert keys_of_sort(lambda x, y: [x * x < y * y], [i]) is None
    assert adds_exponents(lambda x, y: [jnp.logaddexp(x, y)], f)
    assert not adds_exponents(lambda x, y: [jnp.maximum(x, y)], f)
