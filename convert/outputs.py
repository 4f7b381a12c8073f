"""Where the outputs go, and putting them there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from convert.errors import UsageError
from convert.files import check_writable, publish
from convert.request import Request

if TYPE_CHECKING:
    from convert.report import Report
    from rewrite.api import Rewritten
    from sofie_bridge.emit import Emitted
    from sofie_bridge.samples import Sample

_SUFFIX = {"header": ".hxx", "onnx": ".onnx"}


@dataclass(frozen=True)
class Destination:
    """A folder and the stem of the files in it."""

    folder: Path
    name: str


def destination(request: Request, model: str) -> Destination:
    """Read ``--output``: a file with the right suffix names the model; anything else is a folder.

    :param model: the model's own name, for when the user gives none.
    :raises convert.errors.WriteError: the place cannot be written to.
    :raises UsageError: a suffix that does not go with ``--to``.
    """
    output = request.output or Path()
    suffix = _SUFFIX.get(request.to)
    if suffix and output.suffix == suffix and not output.is_dir():
        found = Destination(output.parent, output.stem)
    elif output.suffix in (".hxx", ".onnx", ".h", ".hpp") and not output.is_dir():
        raise UsageError(
            f"--to {request.to} does not write {output.name}",
            advice=f"give a folder, or a name ending in {suffix}" if suffix else "give a folder",
        )
    else:
        found = Destination(output, model)
    if not request.check:
        check_writable(found.folder)
    return found


def place_outputs(
    request: Request,
    report: Report,
    rewritten: Rewritten,
    emitted: Emitted,
    vectors: Sequence[Sample],
    folder: Path,
) -> tuple[Path, ...]:
    """Write what was asked for, by rename. The paths written, the main one first."""
    place = destination(request, emitted.named.name)
    if request.to == "onnx":
        from sofie_bridge.names import identifier

        source = folder / "rewritten.onnx"
        source.write_bytes(rewritten.model.SerializeToString())
        return publish({place.folder / f"{identifier(place.name)}.onnx" if request.output is None else place.folder / f"{place.name}.onnx": source})
    prepend_summary(emitted.header, report, rewritten)
    if request.to == "project":
        from convert.project import project_files

        return publish(project_files(place.folder, report, rewritten, emitted, vectors, folder / "project"))
    named = request.output is not None and request.output.suffix == ".hxx"
    header = place.folder / f"{place.name if named else emitted.named.name}.hxx"
    files = {header: emitted.header}
    if emitted.weights is not None:
        files[place.folder / emitted.weights.name] = emitted.weights
    return publish(files)


def prepend_summary(header: Path, report: Report, rewritten: Rewritten) -> None:
    """Put what the header is, how it was judged and where its tensors come from in front of SOFIE's text, as comments."""
    from convert.preamble import preamble

    header.write_text(preamble(report, rewritten) + header.read_text())
