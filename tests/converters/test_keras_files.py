"""Files of Keras and TensorFlow: every kind is read, and gives the framework's numbers; bad ones are refused."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnxruntime
import pytest
from code_files import module_of

from convert.errors import BadModel, LoadError, MissingPackage, UnknownFile, UnsafeFile
from converters import Loaded, LoadOptions, load

pytest.importorskip("tensorflow")
import tensorflow as tf
from keras import Input, Model, Sequential, layers

Shapes = Callable[..., dict[str, list[int | str]]]
ROOT = Path(__file__).parents[2]
KERAS2 = ROOT / "fixtures" / "keras2"
HERE = Path(__file__).parent
has_tf_keras = importlib.util.find_spec("tf_keras") is not None
needs_tf_keras = pytest.mark.skipif(not has_tf_keras, reason="tf_keras is not installed: it wants --no-deps")

OWN_LAYERS = """
import keras
class Shift(keras.layers.Layer):
    def __init__(self, by=1.0, **options):
        super().__init__(**options)
        self.by = by
    def call(self, x):
        return x + self.by
    def get_config(self):
        return {**super().get_config(), "by": self.by}
def twice(x):
    return 2 * x
"""


models = module_of(HERE / "keras_models.py")


def run_onnx(loaded: Loaded, arrays: dict[str, Any]) -> dict[str, Any]:
    """onnxruntime's answers by name; inputs that the model does not have are left out."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(loaded.model.SerializeToString(), options)
    names = [v.name for v in session.get_outputs()]
    wanted = {v.name for v in session.get_inputs()}
    return dict(zip(names, session.run(names, {n: a for n, a in arrays.items() if n in wanted}), strict=True))


def agree(loaded: Loaded, expected: Any, *arrays: Any) -> None:
    """onnxruntime on the exported model, and the reference, against ``expected``: rtol 1e-5, atol 1e-6."""
    given = dict(zip([v.name for v in loaded.model.graph.input], arrays, strict=True))
    flat = [np.asarray(t) for t in tf.nest.flatten(expected)]
    assert loaded.reference is not None
    for found in (run_onnx(loaded, given), loaded.reference(given)):
        for one, other in zip(found.values(), flat, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6, strict=True)


def noise(*shape: int) -> Any:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def small() -> Any:
    return models.MODELS["functional"]()


# --- Keras 3 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
@pytest.mark.parametrize("name", ["functional", "sequential_without_input", "nested", "shared", "regularised"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_files_of_keras_3(name: str, suffix: str, tmp_path: Path) -> None:
    model = models.MODELS[name]()
    model.save(tmp_path / f"m{suffix}")
    loaded = load(tmp_path / f"m{suffix}")
    assert loaded.name == "m"
    x = [noise(3, *t.shape[1:]) for t in model.inputs]
    agree(loaded, model(x if len(x) > 1 else x[0]), *x)


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    model = small()
    model.save(tmp_path / "m.keras")
    (tmp_path / "m.keras").rename(tmp_path / "m.bin")
    agree(load(tmp_path / "m.bin"), model(noise(3, 4)), noise(3, 4))


def test_names_survive_the_file(tmp_path: Path, shapes_of: Shapes) -> None:
    model = models.MODELS["dicts"]()
    model.save(tmp_path / "m.keras")
    loaded = load(tmp_path / "m.keras")
    assert list(shapes_of(loaded.model)) == ["a", "b"]
    assert list(shapes_of(loaded.model, "output")) == ["inner", "total"]
    agree(loaded, model({"a": noise(2, 4), "b": noise(2, 3)}), noise(2, 4), noise(2, 3))


def test_a_subclassed_model(tmp_path: Path, shapes_of: Shapes) -> None:
    """Its shapes stand in the file."""
    model = models.MODELS["subclassed"]()
    model.save(tmp_path / "m.keras")
    loaded = load(tmp_path / "m.keras")
    assert shapes_of(loaded.model) == {"x": ["N", 4]}
    assert list(shapes_of(loaded.model, "output")) == ["hidden", "score"]
    agree(loaded, model(noise(3, 4)), noise(3, 4))


@pytest.mark.parametrize("weights", ["m.weights.h5", "m.h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_json_with_weights(weights: str, tmp_path: Path) -> None:
    model = small()
    (tmp_path / "m.json").write_text(model.to_json())
    model.save_weights(tmp_path / weights) if "weights" in weights else model.save(tmp_path / weights)
    loaded = load(tmp_path / "m.json", LoadOptions(params=tmp_path / weights))
    agree(loaded, model(noise(3, 4)), noise(3, 4))


# --- SavedModel ------------------------------------------------------------------------------------------------------


def test_keras_export(tmp_path: Path, shapes_of: Shapes) -> None:
    model = models.MODELS["several"]()
    model.export(tmp_path / "folder", verbose=False)
    loaded = load(tmp_path / "folder")
    assert loaded.name == "folder"
    assert shapes_of(loaded.model) == {"right": ["N", 3], "left": ["N", 4]}
    assert list(shapes_of(loaded.model)) == ["right", "left"], "the order is the model's"
    assert list(shapes_of(loaded.model, "output")) == ["output_0", "output_1"]
    x = noise(3, 3), noise(3, 4)
    agree(loaded, model(list(x)), *x)
    in_memory = load(tf.saved_model.load(str(tmp_path / "folder")))
    agree(in_memory, model(list(x)), *x)


def test_a_module_saved_by_tensorflow(tmp_path: Path, shapes_of: Shapes) -> None:
    class Net(tf.Module):  # type: ignore[misc]  # tensorflow has no annotations
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable([[1.0, 2.0], [3.0, 4.0]])

        @tf.function(input_signature=[tf.TensorSpec([None, 2], name="events")])  # type: ignore[untyped-decorator]
        def other(self, events: Any) -> Any:
            return {"raw": events}

        @tf.function(input_signature=[tf.TensorSpec([None, 2], name="events")])  # type: ignore[untyped-decorator]
        def __call__(self, events: Any) -> Any:
            return {f"part_{k}": k * tf.matmul(events, self.w) for k in range(11)}

    net = Net()
    tf.saved_model.save(net, tmp_path / "net", signatures={"serving_default": net.__call__, "other": net.other})
    loaded = load(tmp_path / "net", LoadOptions(batch=2))
    assert "the signature serving_default is taken, and not other" in loaded.notes
    assert shapes_of(loaded.model) == {"events": [2, 2]}
    assert list(shapes_of(loaded.model, "output")) == [f"part_{k}" for k in range(11)]
    x = noise(2, 2)
    agree(loaded, [k * (x @ net.w.numpy()) for k in range(11)], x)


def test_a_saved_model_without_signatures(tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), tmp_path / "empty")
    with pytest.raises(BadModel, match="no signature"):
        load(tmp_path / "empty")


def test_a_saved_model_that_reads_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret"

    class Reader(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([2], name="x")])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            tf.io.write_file(str(secret), "written")
            return x + tf.cast(tf.strings.length(tf.io.read_file(str(secret))), tf.float32)

    tf.saved_model.save(Reader(), tmp_path / "reader", signatures=Reader().__call__)
    with pytest.raises(UnsafeFile, match=r"--allow-code[\s\S]*ReadFile[\s\S]*WriteFile"):
        load(tmp_path / "reader")
    assert not secret.exists()


def test_a_damaged_saved_model(tmp_path: Path) -> None:
    small().export(tmp_path / "m", verbose=False)
    graph = tmp_path / "m" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:3000])
    with pytest.raises(BadModel, match="damaged"):
        load(tmp_path / "m")
    small().export(tmp_path / "lost", verbose=False)
    for part in (tmp_path / "lost" / "variables").iterdir():
        part.unlink()
    with pytest.raises(BadModel, match="cannot open the SavedModel"):
        load(tmp_path / "lost")


# --- Keras 2 ---------------------------------------------------------------------------------------------------------


@needs_tf_keras
@pytest.mark.parametrize("kind", [".h5", ".keras", ""], ids=["h5", "keras", "saved_model"])
@pytest.mark.parametrize("name", ["dense", "conv", "lstm"])
def test_files_of_keras_2(name: str, kind: str) -> None:
    loaded = load(KERAS2 / f"{name}{kind}")
    with np.load(KERAS2 / f"{name}.npz") as stored:
        arrays = dict(stored)
    found = run_onnx(loaded, arrays)
    assert {*found, *(v.name for v in loaded.model.graph.input)} == set(arrays)
    assert loaded.reference is not None
    reference = loaded.reference({n: arrays[n] for n in (v.name for v in loaded.model.graph.input)})
    for output in found:
        np.testing.assert_allclose(found[output], arrays[output], rtol=1e-4, atol=1e-5, strict=True)
        np.testing.assert_allclose(reference[output], arrays[output], rtol=1e-5, atol=1e-6, strict=True)


def test_keras_3_opens_what_it_can() -> None:
    assert not any("tf_keras" in note for note in load(KERAS2 / "dense.h5").notes)


@needs_tf_keras
def test_what_keras_3_cannot_open_says_who_did() -> None:
    loaded = load(KERAS2 / "dense.keras")
    assert any("opened by tf_keras" in note for note in loaded.notes)
    assert loaded.reference is not None
    assert loaded.reference.name.startswith("tf_keras 2.")


@needs_tf_keras
def test_json_of_keras_2(tmp_path: Path) -> None:
    with h5py.File(KERAS2 / "lstm.h5") as file:
        (tmp_path / "m.json").write_text(file.attrs["model_config"])
    loaded = load(tmp_path / "m.json", LoadOptions(params=KERAS2 / "lstm.h5"))
    with np.load(KERAS2 / "lstm.npz") as stored:
        found = run_onnx(loaded, dict(stored))
        np.testing.assert_allclose(found["scores"], stored["scores"], rtol=1e-4, atol=1e-5)


def test_without_tf_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *rest: None if n == "tf_keras" else find(n, *rest))
    with pytest.raises(MissingPackage, match=r"needs tf_keras[\s\S]*--no-deps tf-keras"):
        load(KERAS2 / "lstm.keras")


@pytest.mark.parametrize("path", sorted(p for p in KERAS2.rglob("*") if p.is_file()), ids=lambda p: p.name)
def test_the_kept_files_are_small(path: Path) -> None:
    assert 0 < path.stat().st_size < 250_000


# --- code inside -----------------------------------------------------------------------------------------------------


def write_config(path: Path, config: Any, source: Path) -> None:
    """The .keras file at ``source`` with another configuration."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, json.dumps(config) if name == "config.json" else old.read(name))


def config_of(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


def _with_lambda() -> Any:
    return Sequential([Input((4,), name="x"), layers.Lambda(lambda x: x * 3, name="triple")])


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore")  # Keras warns of what is tested here
def test_a_lambda(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"m{suffix}"
    _with_lambda().save(path)
    with pytest.raises(UnsafeFile, match=r"--allow-code[\s\S]*--custom-objects[\s\S]*triple"):
        load(path)
    agree(load(path, LoadOptions(allow_code=True)), 3 * noise(2, 4), noise(2, 4))


@pytest.mark.filterwarnings("ignore")
def test_a_lambda_in_json(tmp_path: Path) -> None:
    model = _with_lambda()
    (tmp_path / "m.json").write_text(model.to_json())
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(UnsafeFile, match="triple"):
        load(tmp_path / "m.json", LoadOptions(params=tmp_path / "m.weights.h5"))


@needs_tf_keras
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore")
def test_a_lambda_of_keras_2(suffix: str, tmp_path: Path) -> None:
    """The file is written by another process, which leaves a mark when the lambda runs."""
    path, mark = tmp_path / f"m{suffix}", tmp_path / "ran"
    code = (
        "import sys, tf_keras as k; x = k.Input((4,), name='x');"
        f"y = k.layers.Lambda(lambda t: open({str(mark)!r}, 'a') and t * 3)(x); k.Model(x, y).save(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True)
    mark.unlink()
    with pytest.raises(UnsafeFile, match="Lambda"):
        load(path)
    assert not mark.exists()
    agree(load(path, LoadOptions(allow_code=True)), 3 * noise(2, 4), noise(2, 4))
    assert mark.exists()


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        ({"class_name": "TFSMLayer", "config": {"name": "graph", "filepath": "/x"}}, "TFSMLayer graph"),
        ({"class_name": "TensorFlowOpLayer", "config": {"name": "op", "node_def": "WriteFile"}}, "TensorFlowOpLayer op"),
        ({"class_name": "TFOpLambda", "config": {"name": "w", "function": "io.write_file"}}, "tf.io.write_file"),
        ({"class_name": "TFOpLambda", "config": {"name": "w", "function": "py_function"}}, "tf.py_function"),
        ({"class_name": "TFOpLambda", "config": {"name": "w", "function": "compat.v1.py_func.x"}}, "py_func"),
        ({"class_name": "Dense", "config": {"activation": {
            "module": "tf_keras.src.saving.saving_lib", "class_name": "function", "config": "os.system"}}}, "os.system"),
    ],
)  # fmt: skip
def test_other_code(layer: dict[str, Any], says: str, tmp_path: Path) -> None:
    small().save(tmp_path / "m.keras")
    config = config_of(tmp_path / "m.keras")
    config["config"]["layers"].append(layer)
    write_config(tmp_path / "bad.keras", config, tmp_path / "m.keras")
    with pytest.raises(UnsafeFile, match=says.replace(".", r"\.")):
        load(tmp_path / "bad.keras")


def test_a_module_of_the_file_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil_twin.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Mine: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    small().save(tmp_path / "m.keras")
    config = config_of(tmp_path / "m.keras")
    (tmp_path / "own_layers.py").write_text(OWN_LAYERS)
    options = LoadOptions(custom_objects=(str(tmp_path / "own_layers.py"),))
    for name, registered in (("Mine", "evil>Mine"), ("Mine", None), ("Shift", "evil>Shift")):
        config["config"]["layers"][1].update(module="evil_twin", class_name=name, registered_name=registered)
        write_config(tmp_path / "bad.keras", config, tmp_path / "m.keras")
        with pytest.raises(BadModel, match=rf"--custom-objects[\s\S]*{name} of the module evil_twin"):
            load(tmp_path / "bad.keras", options)
    spec: dict[str, Any] = {
        "class_name": "__typespec__",
        "spec_name": "Mine",
        "module": "evil_twin",
        "config": [],
        "registered_name": None,
    }
    config["config"]["layers"][1]["config"]["dtype"] = spec
    write_config(tmp_path / "bad.keras", config, tmp_path / "m.keras")
    with pytest.raises(BadModel, match=r"Mine of the module evil_twin"):
        load(tmp_path / "bad.keras", options)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["link", "storage"])
def test_data_of_other_files(kind: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["kernel"] = np.zeros((4, 2), np.float32)
    small().save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5", "a") as file:
        if kind == "link":
            file["layers"]["more"] = h5py.ExternalLink(str(secret), "kernel")
        else:
            file["layers"].create_dataset("more", (8,), "u1", external=[(str(secret), 0, 8)])
    (tmp_path / "m.json").write_text(small().to_json())
    with pytest.raises(UnsafeFile, match=r"other files[\s\S]*/layers/more"):
        load(tmp_path / "m.json", LoadOptions(params=tmp_path / "m.weights.h5"))
    small().save(tmp_path / "whole.keras")
    with zipfile.ZipFile(tmp_path / "whole.keras") as old, zipfile.ZipFile(tmp_path / "m.keras", "w") as new:
        for name in ("config.json", "metadata.json"):
            new.writestr(name, old.read(name))
        new.write(tmp_path / "m.weights.h5", "model.weights.h5")
    with pytest.raises(UnsafeFile, match=r"/layers/more"):
        load(tmp_path / "m.keras")


# --- classes of the user's -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_custom_objects(suffix: str, tmp_path: Path) -> None:
    (tmp_path / "own_layers.py").write_text(OWN_LAYERS)
    own = module_of(tmp_path / "own_layers.py", "own_layers_to_save")
    x = Input((4,), name="x")
    path = tmp_path / f"m{suffix}"
    Model(x, layers.Dense(4, activation=own.twice, kernel_initializer="ones")(own.Shift(by=2.0)(x))).save(path)
    with pytest.raises(BadModel, match=r"not known here[\s\S]*--custom-objects"):
        load(path)
    loaded = load(path, LoadOptions(custom_objects=(str(tmp_path / "own_layers.py"),)))
    expected = 2 * np.repeat((noise(2, 4) + 2).sum(axis=1, keepdims=True), 4, axis=1)
    agree(loaded, expected, noise(2, 4))


def test_custom_objects_that_are_not_there(tmp_path: Path) -> None:
    small().save(tmp_path / "m.keras")
    with pytest.raises(BadModel, match="no such file"):
        load(tmp_path / "m.keras", LoadOptions(custom_objects=(str(tmp_path / "gone.py"),)))


# --- files that are no models ----------------------------------------------------------------------------------------


def _weights_only(folder: Path) -> Path:
    small().save_weights(folder / "m.weights.h5")
    return folder / "m.weights.h5"


def _other_hdf5(folder: Path) -> Path:
    with h5py.File(folder / "m.h5", "w") as file:
        file["x"] = np.zeros(3)
    return folder / "m.h5"


def _truncated(folder: Path) -> Path:
    small().save(folder / "m.keras")
    (folder / "m.keras").write_bytes((folder / "m.keras").read_bytes()[:5000])
    return folder / "m.keras"


def _truncated_hdf5(folder: Path) -> Path:
    (folder / "m.h5").write_bytes((KERAS2 / "conv.h5").read_bytes()[:9000])
    return folder / "m.h5"


def _other_zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "m.keras", "w") as archive:
        archive.writestr("readme.txt", "hello")
    return folder / "m.keras"


def _half_an_archive(folder: Path) -> Path:
    small().save(folder / "whole.keras")
    with zipfile.ZipFile(folder / "whole.keras") as old, zipfile.ZipFile(folder / "m.keras", "w") as new:
        new.writestr("config.json", old.read("config.json"))
    return folder / "m.keras"


def _damaged_config(folder: Path) -> Path:
    small().save(folder / "m.keras")
    write_config(folder / "bad.keras", [1, 2], folder / "m.keras")
    return folder / "bad.keras"


def _json_alone(folder: Path) -> Path:
    (folder / "m.json").write_text(small().to_json())
    return folder / "m.json"


def _truncated_json(folder: Path) -> Path:
    (folder / "m.json").write_text(small().to_json()[:600])
    return folder / "m.json"


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (_weights_only, BadModel, r"no architecture[\s\S]*--params m.weights.h5"),
        (_other_hdf5, BadModel, "not of Keras"),
        (_truncated, UnknownFile, "truncated"),
        (_truncated_hdf5, BadModel, "damaged"),
        (_other_zip, UnknownFile, "zip archive without a model"),
        (_half_an_archive, BadModel, "it has no metadata.json, model.weights.h5"),
        (_damaged_config, BadModel, "cannot open the model"),
        (_json_alone, BadModel, r"no weights[\s\S]*--params"),
        (_truncated_json, BadModel, "damaged"),
    ],
)
def test_bad_files(make: Callable[[Path], Path], error: type[LoadError], says: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=says):
        load(make(tmp_path))


@pytest.mark.parametrize("name", ["sequential", "regularised"])
def test_weights_of_another_model(name: str, tmp_path: Path) -> None:
    model = Sequential([Input((4,)), layers.Dense(7), layers.Dense(3)])
    (tmp_path / "m.json").write_text(model.to_json())
    models.MODELS[name]().save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(BadModel, match=r"cannot open the model[\s\S]*are the weights in \S*other.weights.h5 those"):
        load(tmp_path / "m.json", LoadOptions(params=tmp_path / "other.weights.h5"))


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="no such file of weights"):
        load(_json_alone(tmp_path), LoadOptions(params=tmp_path / "gone.weights.h5"))


def test_without_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small().save(tmp_path / "m.keras")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *rest: None if n == "tensorflow" else find(n, *rest))
    monkeypatch.delitem(sys.modules, "tensorflow")
    with pytest.raises(MissingPackage, match=r"tensorflow needed[\s\S]*\[keras\]"):
        load(tmp_path / "m.keras")


def test_another_backend_is_told_at_once(tmp_path: Path) -> None:
    """With a file, Keras is imported on TensorFlow whatever KERAS_BACKEND says; with a model it is too late for that."""
    small().save(tmp_path / "m.keras")
    code = (
        "import sys, converters, keras; from convert.errors import MissingPackage;"
        "x = keras.Input((4,)); model = keras.Model(x, keras.layers.Dense(2)(x))\n"
        "try: converters.load(model)\nexcept MissingPackage as error: print(error)"
    )
    environment = {"KERAS_BACKEND": "torch", "PATH": "", "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "set KERAS_BACKEND=tensorflow" in done.stdout, done.stderr
    code = f"import converters; print(converters.load({str(tmp_path / 'm.keras')!r}).kind)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "Keras model (.keras)", done.stderr
