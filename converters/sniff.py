"""What is this file? By content first, by name only to word the error."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from convert.errors import UnknownFile
from converters.base import Frontend

HEAD = 4096

#: Files that are known but not read: where the bytes stand, the bytes, what it is, what to do.
_NEAR_MISSES = (
    (4, b"TFL3", "a TensorFlow Lite model", "convert the original model, or use tflite2onnx"),
    (4, b"ORTM", "an onnxruntime .ort model", "convert the .onnx file that it was made from"),
    (4, b"ET12", "an ExecuTorch program", "convert the torch.export program that it was made from"),
    (0, b"GGUF", "a GGUF file", "it holds quantised parameters only; convert the original model"),
    (0, b"\x93NUMPY", "a numpy array", "a model file is needed"),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (0, b"\xfd7zXZ", "an xz archive", "unpack it first"),
    (0, b"BZh", "a bzip2 archive", "unpack it first"),
)  # fmt: skip

_SUFFIXES = {
    ".onnx": "ONNX model", ".pt2": "torch.export program", ".pt": "PyTorch file", ".pth": "PyTorch file",
    ".ckpt": "PyTorch checkpoint", ".keras": "Keras model", ".h5": "Keras model", ".hdf5": "Keras model",
}  # fmt: skip


def sniff_file(path: Path, frontends: Sequence[Frontend]) -> tuple[Frontend, str]:
    """The front end that reads the file, and its kind.

    :raises UnknownFile: missing, empty, a folder, unreadable, or of no kind that a front end knows.
    """
    known = tuple(kind for frontend in frontends for kind in frontend.kinds)
    head = b"" if path.is_dir() else _head(path)
    for frontend in frontends:
        kind = frontend.sniff(head, path)
        if kind is not None:
            return frontend, kind
    if path.is_dir():
        raise UnknownFile("this is a folder, not a model file", where=str(path), advice=_folder(path))
    what, advice = _near_miss(head, path)
    if what:
        raise UnknownFile(f"{what} is not supported by this version", where=str(path), advice=advice)
    expected = _SUFFIXES.get(path.suffix.lower())
    why = f"it is named {path.suffix}, but its content is not that of a {expected}: damaged?" if expected else ""
    raise UnknownFile("unknown kind of file", where=str(path), why=why, advice="known kinds: " + ", ".join(known))


def looks_named(path: Path) -> bool:
    """Is the file named as a model is?"""
    return path.suffix.lower() in _SUFFIXES


def _head(path: Path) -> bytes:
    if not path.exists():
        why = "the symbolic link leads nowhere" if path.is_symlink() else ""
        raise UnknownFile("no such file", where=str(path), why=why, advice=_neighbours(path))
    if not path.is_file():
        raise UnknownFile("this is not a regular file", where=str(path))
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise UnknownFile("the file cannot be read", where=str(path), why=error.strerror or str(error)) from error
    if not head:
        raise UnknownFile("the file is empty", where=str(path))
    return head


def _neighbours(path: Path) -> str:
    from difflib import get_close_matches

    names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    close = get_close_matches(path.name, names, n=3)
    return "did you mean " + " or ".join(close) + "?" if close else ""


def _folder(path: Path) -> str:
    models = sorted(p.name for p in path.iterdir() if looks_named(p))
    return "give the file itself" + (": " + ", ".join(models[:5]) if models else "")


def _near_miss(head: bytes, path: Path) -> tuple[str, str]:
    for offset, magic, what, advice in _NEAR_MISSES:
        if head[offset : offset + len(magic)] == magic:
            return what, advice
    if path.name == "saved_model.pb":
        return "one file of a TensorFlow SavedModel", "give the folder that it is in"
    if head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return "a safetensors file (parameters without a network)", "load it in the framework and export that model"
    if head[:4] == b"PK\x03\x04":
        return _zip_near_miss(path)
    if head[:1] == b"\x80" and len(head) > 1 and head[1] <= 5:
        if b"joblib" in head or b"sklearn" in head:
            return "a joblib or scikit-learn pickle", "export the estimator to ONNX with skl2onnx"
        return "a Python pickle that torch did not write", "export the model to ONNX"
    if head[:1] == b"x" and path.suffix.lower() in (".joblib", ".pkl", ".z"):
        return "a compressed joblib pickle", "export the estimator to ONNX with skl2onnx"
    return "", ""


def _zip_near_miss(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        why = "it begins as a zip archive (as PyTorch and Keras write), but has no end: truncated or damaged"
        raise UnknownFile("the file is damaged", where=str(path), why=why, advice="copy it again") from error
    if any(n.endswith((".so", ".cpp", ".cubin")) and "aotinductor" in n for n in names):
        return "an AOTInductor package", "it is compiled; convert the program made by torch.export.save"
    if names and all(n.endswith(".npy") for n in names):
        return "a numpy .npz file", "a model file is needed"
    return "a zip archive without a model that is known here", "unpack it, or export the model to ONNX"
