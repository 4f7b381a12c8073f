"""Bad input: one clear line, the right exit code, nothing written, no traceback."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from convert.cli import main

FIXTURES = Path(__file__).parents[2] / "fixtures"
MLP = FIXTURES / "mlp.onnx"
LOAD, REWRITE, VERIFY, USAGE, WRITE = 2, 3, 5, 1, 6


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def refused(capsys: pytest.CaptureFixture[str], out: Path, *arguments: object) -> tuple[int, str]:
    """Run; the exit code and the error. Nothing may have been written, and no traceback shown."""
    code = main([*map(str, arguments), "--output", str(out)])
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    assert not out.exists()
    assert "error: " in said.err
    return code, said.err[said.err.index("error: ") :]


def save(path: Path, model: onnx.ModelProto) -> Path:
    onnx.save(model, path)
    return path


def graph(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]> g {text}')


def test_missing_file(capsys: pytest.CaptureFixture[str], out: Path) -> None:
    code, said = refused(capsys, out, "nowhere.onnx")
    assert code == LOAD
    assert "nowhere.onnx" in said


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 100, b"hello, this is text\n", b"PK\x03\x04truncated", b"\x80\x04K\x01."]
)
def test_files_that_are_no_model(capsys: pytest.CaptureFixture[str], out: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    assert refused(capsys, out, tmp_path / "model.onnx")[0] == LOAD


@pytest.mark.parametrize("name", ["mlp.onnx", "mlp.pt2", "mlp.pt", "mlp.state.pt"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated(capsys: pytest.CaptureFixture[str], out: Path, tmp_path: Path, name: str, share: float) -> None:
    data = (FIXTURES / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    assert refused(capsys, out, tmp_path / name)[0] == LOAD


def test_a_folder(capsys: pytest.CaptureFixture[str], out: Path, tmp_path: Path) -> None:
    assert refused(capsys, out, tmp_path)[0] == LOAD


def test_a_model_that_the_checker_refuses(capsys: pytest.CaptureFixture[str], out: Path, tmp_path: Path) -> None:
    model = graph("(float[2] x) => (float[2] y) { y = Relu(x) }")
    model.graph.node[0].input[0] = "ghost"
    code, said = refused(capsys, out, save(tmp_path / "m.onnx", model))
    assert code == LOAD
    assert "ghost" in said


def test_a_model_without_outputs(capsys: pytest.CaptureFixture[str], out: Path, tmp_path: Path) -> None:
    model = graph("(float[2] x) => (float[2] y) { y = Relu(x) }")
    del model.graph.output[:]
    assert refused(capsys, out, save(tmp_path / "m.onnx", model))[0] == LOAD


def test_shapes_that_contradict_each_other(capsys: pytest.CaptureFixture[str], out: Path, tmp_path: Path) -> None:
    model = graph("(float[2,3] x, float[4,5] w) => (float[2,5] y) { y = MatMul(x, w) }")
    assert refused(capsys, out, save(tmp_path / "m.onnx", model))[0] == LOAD


@pytest.mark.parametrize("dtype", [TensorProto.STRING, TensorProto.COMPLEX64])
def test_an_unsupported_dtype(capsys: pytest.CaptureFixture[str], out: Path, tmp_path: Path, dtype: int) -> None:
    info = [helper.make_tensor_value_info(n, dtype, [2]) for n in "xy"]
    model = helper.make_model(
        helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", info[:1], info[1:]),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    code, said = refused(capsys, out, save(tmp_path / "m.onnx", model))
    assert code == LOAD
    assert "x" in said


@pytest.mark.parametrize(
    "given",
    ["x:float32[5,9]", "x:float32[5]", "x:float64[N,4]", "z:float32[N,4]"],
    ids=["size", "rank", "dtype", "name"],
)
def test_shapes_given_that_do_not_fit(capsys: pytest.CaptureFixture[str], out: Path, given: str) -> None:
    code, said = refused(capsys, out, MLP, "--input", given)
    assert code == LOAD
    assert "x:float32[N,4]" in said


@pytest.mark.parametrize(
    "given", ["x", "x:float32", "x:floaty[3]", "x:float32[3", "x:float32[N;int y]", "x:float32[-1]"]
)
def test_inputs_that_cannot_be_read(capsys: pytest.CaptureFixture[str], out: Path, given: str) -> None:
    assert refused(capsys, out, MLP, "--input", given)[0] == USAGE


def test_external_data_outside_the_folder(capsys: pytest.CaptureFixture[str], out: Path, tmp_path: Path) -> None:
    model = graph("(float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }")
    tensor = model.graph.initializer[0]
    tensor.ClearField("float_data")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    (tmp_path / "secret").write_bytes(bytes(8))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "m.onnx").write_bytes(model.SerializeToString())
    code, said = refused(capsys, out, tmp_path / "in" / "m.onnx")
    assert code == LOAD
    assert "secret" in said


def test_a_pickle_is_refused_and_says_why(capsys: pytest.CaptureFixture[str], out: Path, tmp_path: Path) -> None:
    import torch

    torch.save(torch.nn.Linear(2, 2), tmp_path / "m.pt")
    code, said = refused(capsys, out, tmp_path / "m.pt")
    assert code == LOAD
    assert "--allow-pickle" in said
    assert "code" in said


def test_a_state_dict_without_its_model(capsys: pytest.CaptureFixture[str], out: Path) -> None:
    code, said = refused(capsys, out, FIXTURES / "mlp.state.pt")
    assert code == LOAD
    assert "--model" in said


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("m.weights.h5", "no architecture"),
        ("other.h5", "not of Keras"),
        ("m.json", "--params"),
        ("lambda.json", "--allow-code"),
        ("custom.json", "--custom-objects"),
        ("keras2/dense/saved_model.pb", "give the folder"),
    ],
)
def test_keras_files(capsys: pytest.CaptureFixture[str], out: Path, tmp_path: Path, name: str, says: str) -> None:
    keras, h5py = pytest.importorskip("keras"), pytest.importorskip("h5py")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save_weights(tmp_path / "m.weights.h5")
    h5py.File(tmp_path / "other.h5", "w").close()
    (tmp_path / "m.json").write_text(model.to_json())
    layer = '{"class_name": "Lambda", "config": {"name": "l", "function": ["code", null, null]}}'
    (tmp_path / "lambda.json").write_text(layer)
    (tmp_path / "custom.json").write_text('{"class_name": "Mine", "module": "mine", "config": {}}')
    shutil.copytree(FIXTURES / "keras2", tmp_path / "keras2")
    code, said = refused(capsys, out, tmp_path / name)
    assert code == LOAD
    assert says in said
    assert str(tmp_path / name) in said


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("dense.h5", ["--batch", "0"]),
        ("dense.h5", ["--input", "first_input:float32[2,4]", "--batch", "3"]),
        ("conv", ["--input", "first_input:float32[2,4]"]),
    ],
)
def test_shapes_that_keras_models_do_not_have(
    capsys: pytest.CaptureFixture[str], out: Path, name: str, arguments: list[str]
) -> None:
    pytest.importorskip("keras")
    code, _ = refused(capsys, out, FIXTURES / "keras2" / name, *arguments)
    assert code == (USAGE if "0" in arguments else LOAD)


def test_a_batch_where_no_axis_is_open(capsys: pytest.CaptureFixture[str], out: Path) -> None:
    code, said = refused(capsys, out, FIXTURES / "attention.onnx", "--batch", "2")
    assert code == LOAD
    assert "the batch cannot be 2: the first axes of the inputs are 1" in said


def test_own_inputs_that_do_not_fit(capsys: pytest.CaptureFixture[str], out: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.zeros((3, 9), np.float32), z=np.zeros(1))
    code, said = refused(capsys, out, MLP, "--inputs", tmp_path / "data.npz")
    assert code == VERIFY
    assert "'z'" in said
    assert "[3, 9]" in said


def test_own_inputs_that_are_no_file(capsys: pytest.CaptureFixture[str], out: Path, tmp_path: Path) -> None:
    assert refused(capsys, out, MLP, "--inputs", tmp_path / "none.npz")[0] == VERIFY


@pytest.mark.parametrize(
    "arguments", [["--to", "wasm"], ["--weights", "cloud"], ["--rtol", "2"], ["--unknown"], ["--atol", "x"]]
)
def test_options_that_make_no_sense(capsys: pytest.CaptureFixture[str], out: Path, arguments: list[str]) -> None:
    assert refused(capsys, out, MLP, *arguments)[0] == USAGE


def test_a_place_of_another_kind(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert refused(capsys, tmp_path / "out.onnx", MLP)[0] == USAGE


def test_a_file_where_a_folder_is_needed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    code, _ = refused(capsys, tmp_path / "file" / "out", MLP)
    assert code == WRITE
    assert (tmp_path / "file").read_text() == "mine"


def test_no_permission(capsys: pytest.CaptureFixture[str]) -> None:
    """/proc refuses new folders to everybody, root included."""
    code, said = refused(capsys, Path("/proc/sofie-convert"), MLP)
    assert code == WRITE
    assert "/proc" in said


def test_a_full_disk(capsys: pytest.CaptureFixture[str], out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = shutil.copyfile

    def full(source: Path, place: str) -> str:
        if str(source).endswith(".dat"):
            Path(place).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", place)
        return str(plain(source, place))

    monkeypatch.setattr("convert.files.shutil.copyfile", full)
    code, said = refused(capsys, out, MLP)
    assert code == WRITE
    assert "No space left" in said


def test_outputs_that_were_there_stay_when_a_conversion_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mlp.hxx").write_text("mine")
    assert main([str(MLP), "--output", str(tmp_path), "--inputs", str(tmp_path / "none.npz")]) == VERIFY
    assert (tmp_path / "mlp.hxx").read_text() == "mine"
    capsys.readouterr()


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere.onnx", "--debug"]) == LOAD
    assert "Traceback" in capsys.readouterr().err
