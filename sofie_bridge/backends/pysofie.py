"""The Python package ``sofie``, by the ML4EP team."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata, util
from pathlib import Path

from convert.errors import SofieCrashed
from sofie_bridge.backends.base import Answer, Request


class PySofie:
    """Drives ``sofie.onnx``."""

    name = "pysofie"

    @cache  # noqa: B019 - there is one object of this class
    def build(self) -> str:
        spec = util.find_spec("sofie")
        if spec is None or spec.origin is None:
            raise SofieCrashed("SOFIE is not installed", advice="pip install sofie==0.1.0")
        digest = hashlib.sha256()
        for library in sorted(Path(spec.origin).parent.glob("*.so")):
            digest.update(library.read_bytes())
        return f"pysofie-{metadata.version('sofie')}-{digest.hexdigest()[:12]}"

    def prepare(self) -> None:
        import sofie.onnx  # noqa: F401

    def generate(self, request: Request, folder: Path) -> Answer:
        try:
            return _generated(request, folder)
        except (RuntimeError, ValueError, IndexError, TypeError, MemoryError, OverflowError, OSError) as error:
            return Answer("refused", str(error) or type(error).__name__)


def _generated(request: Request, folder: Path) -> Answer:
    import sofie
    import sofie.onnx

    model = sofie.onnx.parse(request.file(folder))
    model.generate(sofie.Options(request.options))
    tensors: dict[str, tuple[str, list[int] | None]] = {}
    for name in request.tensors:
        try:
            kind = model.get_tensor_type(name).name
        except RuntimeError:
            continue  # folded away inside SOFIE
        try:
            tensors[name] = (kind, list(model.get_tensor_shape(name)))
        except RuntimeError:
            tensors[name] = (kind, None)
    if request.header is not None:
        model.output_generated(request.header)
        return Answer("generated", tensors=tensors)
    return Answer("generated", tensors=tensors, code=model.return_generated())


backend = PySofie()
