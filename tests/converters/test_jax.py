"""JAX's front end: what it takes, parameters from files of every kind, evaluation mode, and bad input."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from code_files import FIXTURES, module_of

from convert.errors import BadInput, BadModel, ExportFailed, LoadError, UnknownFile, UnsafeFile
from convert.spec import Factory, TensorSpec
from converters import Loaded, LoadOptions, load
from sofie_bridge.reference import OnnxReference

jax = pytest.importorskip("jax", reason="the extra jax is not installed")
jnp = jax.numpy
linen = pytest.importorskip("flax.linen")
nnx = pytest.importorskip("flax.nnx")
serialization = pytest.importorskip("flax.serialization")

networks: Any = module_of(FIXTURES / "jax_networks.py")
CNN, CNN_FILE = f"{FIXTURES}/jax_networks.py:cnn", FIXTURES / "jax" / "cnn.msgpack"


def options(*inputs: str, **others: Any) -> LoadOptions:
    return LoadOptions(inputs=tuple(map(TensorSpec.parse, inputs)), **others)


def variables_of(name: str) -> Any:
    return serialization.msgpack_restore((FIXTURES / "jax" / f"{name}.msgpack").read_bytes())


def agrees(loaded: Loaded, rows: int = 3) -> None:
    """onnxruntime gives JAX's numbers."""
    draw = np.random.default_rng(1)
    inputs = {}
    for value in loaded.model.graph.input:
        shape = [d.dim_value or rows for d in value.type.tensor_type.shape.dim]
        inputs[value.name] = draw.normal(size=shape).astype(np.float32)
    assert loaded.reference is not None
    expected, found = loaded.reference(inputs), OnnxReference(loaded.model)(inputs)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5)


# ------------------------------------------------------------------------------------------- what is taken


def test_models_in_memory() -> None:
    x = "x:float32[N,4]"
    variables = variables_of("mlp")
    for source, kind in (
        ((networks.mlp(), variables), "Flax Linen module"),
        (networks.mlp_nnx(), "Flax NNX module"),
        (nnx.split(networks.mlp_nnx()), "Flax NNX module"),
        ((networks.mlp_nnx(), nnx.to_pure_dict(nnx.state(networks.mlp_nnx(), nnx.Param))), "Flax NNX module"),
        (networks.mlp_equinox(), "Equinox module"),
        (jax.jit(lambda x: x @ jnp.ones((4, 2))), "JAX function"),
        ((lambda p, x: x @ p["w"], {"w": jnp.ones((4, 2))}), "JAX function"),
        (networks.mlp().bind(variables), "Flax Linen module"),
    ):
        loaded = load(source, options(x))
        assert (loaded.kind, loaded.frontend) == (kind, "jax")
        agrees(loaded)


def test_other_things_are_none_of_jaxs() -> None:
    things: tuple[Any, ...] = (dict, 3, (1, 2), "a.jax")
    for thing in things:
        with pytest.raises(UnknownFile):
            load(thing)


def test_names_of_inputs_and_outputs() -> None:
    def model(track: Any, vertex: dict[str, Any]) -> dict[str, Any]:
        return {"sum": track + vertex["z"], "track": 2 * track, "nest": [vertex["t"]]}

    given = options("vertex.z:float32[N,3]", "track:float32[N,3]", "vertex.t:float32[N]")
    loaded = load(jax.jit(model), given)
    assert [v.name for v in loaded.model.graph.input] == ["track", "vertex_z", "vertex_t"]
    assert [v.name for v in loaded.model.graph.output] == ["nest_0", "sum", "track_"]
    agrees(loaded)


def test_an_input_that_is_not_used_is_said_and_left_out() -> None:
    loaded = load(lambda x, y: jnp.tanh(x), options("x:float32[N,3]", "y:float32[M]"))
    assert [v.name for v in loaded.model.graph.input] == ["x"]
    assert "the input y is not used and not an input of the ONNX model" in loaded.notes
    agrees(loaded)


def test_outputs_that_are_inputs_constants_and_twice_the_same() -> None:
    def model(x: Any) -> tuple[Any, ...]:
        y = jnp.exp(x)
        return x, y, y, jnp.arange(3.0)

    agrees(load(model, options("x:float32[N,3]")))


def test_an_example_gives_the_shapes() -> None:
    example = (np.ones((5, 4), np.float32),)
    loaded = load((networks.mlp(), variables_of("mlp")), LoadOptions(example=example))
    (value,) = loaded.model.graph.input
    assert [d.dim_value for d in value.type.tensor_type.shape.dim] == [5, 4]
    assert np.array_equal(loaded.examples[0]["x"], example[0])
    named = load((networks.mlp(), variables_of("mlp")), LoadOptions(example={"x": example[0]}))
    agrees(named)


def test_each_node_has_the_users_line() -> None:
    loaded = load((networks.recurrent(), variables_of("recurrent")), options("x:float32[N,3,1]"))
    assert all("jax_networks.py" in n.doc_string for n in loaded.model.graph.node if n.op_type != "Identity")


# -------------------------------------------------------------------------------------------- evaluation mode


def test_evaluation_mode_is_set_where_the_call_takes_it() -> None:
    cnn = load((networks.cnn(), variables_of("cnn")), options("x:float32[N,8,8,1]"))
    assert "taken in evaluation mode: train=False" in cnn.notes
    agrees(cnn)
    attention = load((networks.attention(), variables_of("attention")), options("x:float32[N,20,12]"))
    assert "taken in evaluation mode: deterministic=True" in attention.notes


def test_nnx_and_equinox_modules_stay_in_the_users_mode() -> None:
    import equinox as eqx

    module = networks.mlp_nnx()
    module.train()
    loaded = load(module, options("x:float32[N,4]"))
    assert "taken in evaluation mode: nnx's eval()" in loaded.notes
    assert not module.layers.layers[2].deterministic
    agrees(loaded)
    dropout = eqx.nn.Dropout(0.5)
    agrees(load(dropout, options("x:float32[N,4]")))
    assert not dropout.inference


# -------------------------------------------------------------------------------------- files of parameters


def write_orbax(tree: Any, folder: Path) -> Path:
    import orbax.checkpoint as ocp

    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder / "ckpt", tree)
    return folder / "ckpt"


def write_orbax_steps(tree: Any, folder: Path) -> Path:
    import orbax.checkpoint as ocp

    with ocp.CheckpointManager(folder / "steps") as manager:
        for step, factor in ((2, 0.0), (11, 1.0)):
            scaled = jax.tree.map(lambda a, f=factor: f * a, tree)
            manager.save(step, args=ocp.args.StandardSave(scaled))
    return folder / "steps"


def write_msgpack(tree: Any, folder: Path) -> Path:
    (folder / "p.msgpack").write_bytes(serialization.to_bytes(tree))
    return folder / "p.msgpack"


def write_pickle(tree: Any, folder: Path) -> Path:
    (folder / "p.pkl").write_bytes(pickle.dumps(tree))
    return folder / "p.pkl"


def flat(tree: Any, mark: str) -> dict[str, Any]:
    from flax.traverse_util import flatten_dict

    return {mark.join(map(str, path)): np.asarray(leaf) for path, leaf in flatten_dict(tree).items()}


def write_safetensors(tree: Any, folder: Path) -> Path:
    from safetensors.numpy import save_file

    save_file(flat(tree, "."), folder / "p.safetensors")
    return folder / "p.safetensors"


def write_npz(tree: Any, folder: Path) -> Path:
    np.savez(folder / "p.npz", **flat(tree, "/"))
    return folder / "p.npz"


WRITERS = [write_orbax, write_orbax_steps, write_msgpack, write_pickle, write_safetensors, write_npz]


@pytest.mark.filterwarnings("ignore")  # Orbax has warnings of its own at every turn
@pytest.mark.parametrize("write", WRITERS, ids=lambda w: w.__name__.removeprefix("write_"))
@pytest.mark.parametrize("name", ["cnn", "cnn_nnx"])
def test_parameters_from_a_file(name: str, write: Callable[[Any, Path], Path], tmp_path: Path) -> None:
    tree = variables_of(name)
    file = write(jax.tree.map(jnp.asarray, tree), tmp_path)
    spec, x = Factory(f"{FIXTURES}/jax_networks.py:{name}"), "x:float32[N,8,8,1]"
    loaded = load(spec, options(x, params=file, allow_code=write is write_pickle))
    kernels = {t.raw_data for t in loaded.model.graph.initializer}
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    (last,) = (leaf for leaf in leaves if leaf.shape == (64, 10))
    assert last.tobytes() in kernels


def test_a_checkpoint_in_the_models_place(tmp_path: Path) -> None:
    file = write_orbax(variables_of("cnn"), tmp_path)
    agrees(load(file, options("x:float32[N,8,8,1]", model=CNN)))
    with pytest.raises(BadModel, match="the network is missing"):
        load(file, options("x:float32[N,8,8,1]"))


def test_an_equinox_file_and_a_functions_parameters() -> None:
    home = f"{FIXTURES}/jax_networks.py"
    for name, file in (("mlp_equinox", "mlp_equinox.eqx"), ("mlp_function", "mlp_function.npz")):
        agrees(load(Factory(f"{home}:{name}"), options("x:float32[N,4]", params=FIXTURES / "jax" / file)))
    with pytest.raises(BadModel, match="fits Equinox modules only"):
        load(Factory(CNN), options("x:float32[N,8,8,1]", params=FIXTURES / "jax" / "mlp_equinox.eqx"))


def test_a_training_state_and_the_parameters_alone(tmp_path: Path) -> None:
    tree = variables_of("mlp")
    state = {"step": np.int32(7), "opt_state": {"0": {"mu": tree["params"]}}, "params": tree["params"]}
    loaded = load(Factory(CNN.replace("cnn", "mlp")), options("x:float32[N,4]", params=write_msgpack(state, tmp_path)))
    assert "in the file and not of the model, left out: opt_state, step" in loaded.notes
    alone = write_msgpack(tree["params"], tmp_path)
    agrees(load(Factory(CNN.replace("cnn", "mlp")), options("x:float32[N,4]", params=alone)))


# ------------------------------------------------------------------------------------------------ bad input


def refused(kind: type[LoadError], source: Any, given: LoadOptions) -> str:
    with pytest.raises(kind) as caught:
        load(source, given)
    return str(caught.value)


def test_parameters_that_do_not_fit(tmp_path: Path) -> None:
    tree = variables_of("cnn")
    tree["params"]["Conv_0"]["kernel"] = np.zeros((3, 3, 1, 9), np.float32)
    tree["params"]["Conv_7"] = {"bias": np.zeros(2, np.float32)}
    del tree["params"]["Dense_0"]["bias"]
    said = refused(BadModel, Factory(CNN), options("x:float32[N,8,8,1]", params=write_msgpack(tree, tmp_path)))
    assert "wrong shape: params/Conv_0/kernel is [3, 3, 1, 9] in the file, [3, 3, 1, 8] in the model" in said
    assert "unexpected: params/Conv_7/bias, of shape [2]" in said
    assert "missing: params/Dense_0/bias, of shape [10]" in said


def test_statistics_of_batches_left_behind(tmp_path: Path) -> None:
    file = write_msgpack({"params": variables_of("cnn")["params"]}, tmp_path)
    said = refused(BadModel, Factory(CNN), options("x:float32[N,8,8,1]", params=file))
    assert "missing: batch_stats/BatchNorm_0/mean, of shape [8]" in said
    assert "save all of the variables" in said


def test_no_parameters() -> None:
    assert "parameters are not given" in refused(BadModel, networks.cnn(), options("x:float32[N,8,8,1]"))
    abstract = nnx.eval_shape(networks.mlp_nnx)
    assert "parameters are not given" in refused(BadModel, abstract, options("x:float32[N,4]"))


def test_files_of_parameters_that_are_none(tmp_path: Path) -> None:
    x = "x:float32[N,8,8,1]"
    assert "no such file or folder" in refused(UnknownFile, Factory(CNN), options(x, params=tmp_path / "lost"))
    assert "no Orbax checkpoint" in refused(UnknownFile, Factory(CNN), options(x, params=tmp_path))
    empty, broken = tmp_path / "empty", tmp_path / "broken.msgpack"
    empty.touch()
    broken.write_bytes(CNN_FILE.read_bytes()[:700])
    assert "is empty" in refused(UnknownFile, Factory(CNN), options(x, params=empty))
    assert "cannot be read: damaged?" in refused(BadModel, Factory(CNN), options(x, params=broken))
    said = refused(UnsafeFile, Factory(CNN), options(x, params=write_pickle({}, tmp_path)))
    assert "--allow-pickle" in said


def test_a_factory_that_raises(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(
        "import jax\n\ndef inner():\n    return jax.numpy.ones(3).reshape(2, 2)\n\ndef make():\n    return inner()\n"
    )
    said = refused(BadModel, Factory(f"{file}:make"), options("x:float32[3]"))
    assert f"make() failed, at {file}:4 of {file}:make" in said
    assert "cannot reshape array of shape (3,)" in said


def test_inputs() -> None:
    module = networks.mlp_nnx()
    said = refused(BadInput, module, LoadOptions())
    assert "the shapes of the inputs are not known" in said
    assert "--input 'x:float32[N,7]'" in said
    said = refused(BadInput, networks.signal_mlp, options("x:float32[N,4]"))
    assert "the required argument params is not given" in said
    assert "--params gives the first one" in said
    said = refused(BadInput, module, options("x:float32[N,5]"))
    assert "does not run on these inputs, at" in said
    assert "jax_networks.py" in said
    assert "give it as int32" in refused(BadInput, lambda x: x + 1, options("x:int64[N]"))
    said = refused(BadInput, lambda x: x.reshape(2, -1), options("x:float32[N,3]"))
    assert "the model does not work for every N" in said
    assert "--batch 1" in said


def test_unset_rngs() -> None:
    class Noisy(linen.Module):  # type: ignore[misc, name-defined]
        @linen.compact  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            return linen.Dropout(0.5, deterministic=False)(x)

    said = refused(BadInput, (Noisy(), {}), options("x:float32[N,3]"))
    assert "let the call take deterministic or train" in said


def test_what_cannot_be_translated_is_named_with_its_line() -> None:
    def model(x: Any) -> Any:
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    said = refused(ExportFailed, model, options("x:float32[2,3]"))
    assert "pure_callback" in said
    assert "test_jax.py:" in said
