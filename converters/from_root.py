"""Models in ROOT files, as ``--to root`` writes them: several in one file, each with the header that was made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.errors import BadModel, ConvertError
from convert.root_layout import FORMAT, HEADER, MAGIC, MODEL, RECORD, WEIGHTS
from converters.base import Loaded, LoadOptions, Stored
from converters.from_onnx import frontend as onnx_frontend
from converters.quiet import Attempt, reason
from converters.root_objects import contents, models_in, open_file, read_objects

if TYPE_CHECKING:
    import onnx

    from converters.root_objects import Array

_KIND = "model in a ROOT file"
#: SOFIE's own representation, which ROOT before 6.42 wrote.
_RMODEL = "TMVA::Experimental::SOFIE::RModel"


class RootFrontend:
    """Reads what this program wrote. The header that lies there is data for others: it is not run here."""

    name = "root"
    kinds: tuple[str, ...] = (_KIND,)

    def sniff(self, head: bytes, path: Path) -> str | None:  # noqa: ARG002
        """By the first bytes of every ROOT file; what it holds is found out in :meth:`load`."""
        return _KIND if head.startswith(MAGIC) else None

    def sniff_object(self, source: object) -> str | None:  # noqa: ARG002
        """None: there is no such model in memory."""
        return None

    def load(self, source: Any, kind: str, options: LoadOptions) -> Loaded:
        """Read the one model of the file, or the one that ``options.model`` names.

        :raises convert.errors.LoadError: whatever the file holds.
        """
        path = Path(source)
        with open_file(path) as file:
            name = _chosen(file, path, options.model)
            objects = read_objects(file, name, path)
        record, model = _record(objects, path), _model(objects, path)
        try:
            loaded = onnx_frontend.load(model, kind, replace(options, model=None))
        except ConvertError as error:
            error.finding = replace(error.finding, where=f"{path}:{name}")
            raise
        exporter = f"{record['exporter']}, rewritten by sofie-convert {record['versions'].get('sofie-convert', '')}"
        return replace(
            loaded,
            frontend=self.name,
            exporter=exporter,
            name=name,
            notes=(*(str(n) for n in record["notes"]), *loaded.notes),
            stored=_stored(objects, record, name),
        )


def _chosen(file: Any, path: Path, wanted: str | None) -> str:
    names = models_in(file)
    if not names:
        raise _none_of_ours(file, path)
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted in names:
        return str(wanted)
    advice = " or ".join(f"{path}:{n}" for n in names[:8])
    if wanted is None:
        raise BadModel("this file holds several models", where=str(path), why=", ".join(names), advice=advice)
    close = get_close_matches(wanted, names, n=1)
    advice = f"did you mean {path}:{close[0]}?" if close else advice
    raise BadModel(f"there is no model {wanted} in this file", where=str(path), why=", ".join(names), advice=advice)


def _none_of_ours(file: Any, path: Path) -> BadModel:
    kinds = file.classnames(cycle=False)
    if _RMODEL in kinds.values():
        name = next(n for n, kind in kinds.items() if kind == _RMODEL)
        return BadModel(
            f"{name} is SOFIE's own RModel, which only the ROOT that wrote it reads",
            where=str(path),
            why="ROOT 6.42 has taken out this form of storage",
            advice="convert the model that it was made from",
        )
    advice = "python -m convert MODEL --to root writes a model into such a file"
    return BadModel(
        "there is no model in this ROOT file", where=str(path), why=f"it holds {contents(file)}", advice=advice
    )


def _record(objects: Mapping[str, str | Array], path: Path) -> dict[str, Any]:
    """What made the model; with all that is read of it below."""
    with Attempt() as attempt:
        record: dict[str, Any] = json.loads(str(objects[RECORD]))
        if record["format"] > FORMAT:
            what = f"this model is stored in the form {record['format']}, and {FORMAT} is the newest that is known here"
            raise BadModel(what, where=str(path), advice="update sofie-convert")
        for key in ("exporter", "versions", "notes", "weights", "digest", "build"):
            _ = record[key]
        return record
    raise BadModel("the model's record is damaged", where=str(path), why=reason(attempt.error))


def _model(objects: Mapping[str, str | Array], path: Path) -> onnx.ModelProto:
    """The ONNX model with the weights that it refers to, which lie beside it."""
    import onnx
    from onnx import helper, numpy_helper

    with Attempt() as attempt:
        content: Any = objects[MODEL]
        model = onnx.load_model_from_string(content.tobytes(), format="protobuf")
        for tensor in model.graph.initializer:
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                held: Any = objects[tensor.external_data[0].value]
                dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
                array = held.astype(dtype, copy=False).reshape(tuple(tensor.dims))
                tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        return model
    raise BadModel("the model in the ROOT file cannot be read", where=str(path), why=reason(attempt.error))


def _stored(objects: Mapping[str, str | Array], record: Mapping[str, Any], name: str) -> Stored | None:
    if HEADER not in objects:
        return None
    tensors = {n.removeprefix(f"{WEIGHTS}/"): a for n, a in objects.items() if n.startswith(f"{WEIGHTS}/")}
    return Stored(
        name, str(objects[HEADER]), str(record["weights"]), str(record["digest"]), str(record["build"]),
        {n: a for n, a in tensors.items() if not isinstance(a, str)},
    )  # fmt: skip


frontend = RootFrontend()
