"""Files that are no models, or not of a kind that is read here."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.errors import LoadError, UnknownFile
from converters import load


def _zip(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return file.getvalue()


def _npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("m.onnx", b"", "empty"),
        ("m.keras", _zip("a.txt"), "zip archive without a model"),
        ("m.h5", b"hello, this is text", "named .h5, but its content is not that of a Keras model"),
        ("m.pt", _zip("a.txt"), "zip archive without a model"),
        ("m.pt", _zip("m/data.pkl", "m/data/0")[:-30], "damaged"),
        ("m.pkl", pickle.dumps([1, 2]), "pickle that torch did not write"),
        ("m.joblib", pickle.dumps({"sklearn.linear": 1}), "skl2onnx"),
        ("m.safetensors", (40).to_bytes(8, "little") + b'{"a":{}}' + b" " * 90, "safetensors"),
        ("saved_model.pb", b"\x08\x01\x12\x03abc", "SavedModel"),
        ("m.tflite", b"\x1c\0\0\0TFL3" + b"\0" * 20, "Lite"),
        ("m.npy", _npy(), "numpy array"),
        ("m.onnx", b"hello, this is text", "named .onnx"),
        ("m.txt", b"hello, this is text", "known kinds: ONNX model"),
        ("m.onnx", b"\x08", "named .onnx"),
    ],
)
def test_refused_by_name(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnknownFile, match=says) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_missing_folder_dangling_and_pipe(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(UnknownFile, match=r"no such file[\s\S]*did you mean model.onnx"):
        load(tmp_path / "modle.onnx")
    with pytest.raises(UnknownFile, match=r"a folder[\s\S]*model.onnx"):
        load(str(tmp_path))
    (tmp_path / "link.onnx").symlink_to(tmp_path / "nothing")
    with pytest.raises(UnknownFile, match="leads nowhere"):
        load(tmp_path / "link.onnx")
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(UnknownFile, match="regular"):
        load(tmp_path / "pipe.onnx")


@pytest.mark.parametrize("thing", [3, None, [1], object()])
def test_objects_that_are_no_models(thing: Any) -> None:
    with pytest.raises(UnknownFile, match="no model"):
        load(thing)


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_refused_with_an_error_of_ours(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "noise"
    path.write_bytes(np.random.default_rng(seed).bytes(500))
    with pytest.raises(LoadError):
        load(path)


def test_import_loads_no_framework() -> None:
    code = (
        "import sys, converters; converters.frontends();"
        "bad = {'onnx', 'torch', 'numpy', 'google.protobuf'} & set(sys.modules); sys.exit(str(bad) if bad else 0)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
