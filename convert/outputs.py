"""Where the outputs go, and putting them there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from shutil import copyfile

import numpy as np
import onnx

from convert.errors import BadSamples, UsageError, WriteError
from convert.files import publish
from convert.preamble import preamble
from convert.project import Vector, write_project
from convert.report import Port, Report
from convert.request import Request
from convert.root_file import filled, objects_of
from rewrite.api import Rewritten
from sofie_bridge.compare import Tolerance, compare
from sofie_bridge.emit import Emitted, session_tensors
from sofie_bridge.noise import noise
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import Array, Arrays, Sample
from sofie_bridge.sofie import Sofie, build
from sofie_bridge.stored import write_sets

#: Test vectors that a project is given.
VECTORS = 6

#: Folder, in that of the conversion, with ``<name>_rdf.hxx``.
FUNCTOR = "functor"

_SUFFIX = {"header": ".hxx", "rdf": ".hxx", "onnx": ".onnx", "root": ".root"}
#: A ROOT file, and the name of the model in it where that is not the model's own.
_ROOT_FILE = re.compile(r"(?P<stem>.+)\.root(?::(?P<name>\w+))?")


@dataclass(frozen=True)
class Destination:
    """A folder and the model's name, which is the stem of the files in it.

    :param root: stem of a ROOT file that may hold several models; "" where it has the model's name.
    """

    folder: Path
    name: str
    root: str = ""

    @property
    def root_file(self) -> Path:
        return self.folder / f"{self.root or self.name}.root"


def destination(request: Request, model: str) -> Destination:
    """Read ``--output``: a file with the right suffix names the model; anything else is a folder.

    A ROOT file may hold several models, so its name is none of theirs: ``models.root:tagger`` gives one.

    :param model: the model's own name, for when the user gives none.
    :raises UsageError: a suffix that does not go with ``--to``.
    """
    output = request.output or Path()
    suffix = _SUFFIX.get(request.to)
    in_root = _ROOT_FILE.fullmatch(output.name) if request.to == "root" and not output.is_dir() else None
    if in_root is not None:
        found = Destination(output.parent, in_root["name"] or model, in_root["stem"])
    elif suffix and output.suffix == suffix and not output.is_dir():
        found = Destination(output.parent, output.stem)
    elif output.suffix in (".hxx", ".onnx", ".root", ".h", ".hpp") and not output.is_dir():
        raise UsageError(
            f"--to {request.to} does not write {output.name}",
            advice=f"give a folder, or a name ending in {suffix}" if suffix else "give a folder",
        )
    else:
        found = Destination(output, model)
    return found


def place_outputs(
    request: Request,
    report: Report,
    exported: onnx.ModelProto,
    rewritten: Rewritten,
    emitted: Emitted,
    samples: Sequence[Sample],
    folder: Path,
    sofie: Sofie,
) -> tuple[Path, ...]:
    """Write what was asked for, by rename. The paths written, the main one first.

    :param sofie: asked for the weights as its Session reads them, for a ROOT file.
    """
    place = destination(request, emitted.named.name)
    kept = _kept(place, exported, samples, folder) if request.keep else {}
    if request.to == "onnx":
        source = folder / "rewritten.onnx"
        copyfile(emitted.onnx, source)  # names and constants as SOFIE was given them
        return publish({place.folder / f"{place.name}.onnx": source, **kept})
    if not emitted.described:
        prepend_summary(emitted.header, report, rewritten)
    if request.to == "root":
        stored = _stored(report, rewritten, emitted, folder, sofie, place.root_file, header=True)
        return publish({place.root_file: stored, **kept})
    if request.to == "project":
        made = _project(report, rewritten, emitted, samples, folder / "project")
        return publish({**{place.folder / f.relative_to(folder / "project"): f for f in made}, **kept})
    files = {place.folder / f"{place.name}.hxx": emitted.header}
    if emitted.weights is not None:
        there = place.folder / emitted.weights.name
        of_root = emitted.form == "root"
        files[there] = _stored(report, rewritten, emitted, folder, sofie, there) if of_root else emitted.weights
    files |= _beside(emitted, place.folder)
    if request.to == "rdf":
        files[place.folder / f"{place.name}_rdf.hxx"] = folder / FUNCTOR / f"{place.name}_rdf.hxx"
    return publish({**files, **kept})


def _stored(
    report: Report,
    rewritten: Rewritten,
    emitted: Emitted,
    folder: Path,
    sofie: Sofie,
    place: Path,
    *,
    header: bool = False,
) -> Path:
    """The ROOT file that is to be at ``place``: of the header's weights, or with the header in it."""
    tensors = session_tensors(emitted, sofie, folder)
    objects = objects_of(report, rewritten, emitted, tensors, build=build(sofie.backend), header=header)
    return filled(place, emitted.named.name, objects, folder / "filled.root")


def _beside(emitted: Emitted, folder: Path) -> dict[Path, Path]:
    """The user's C++ that the header includes, beside it.

    :raises WriteError: a file of another content is there: it may be the user's own.
    """
    files = {folder / name: source for name, source in emitted.beside.items()}
    there = {p: s for p, s in files.items() if p.is_file() and p.resolve() != s.resolve()}
    other = [p for p, s in there.items() if p.read_bytes() != s.read_bytes()]
    if other:
        raise WriteError(
            f"{other[0]} is there and differs",
            why=f"the header includes {files[other[0]]}, of which it would be a copy",
            advice="remove it, give another --output, or write the C++ into the header with --inline-operators",
        )
    return {p: s for p, s in files.items() if p.resolve() != s.resolve()}


def _kept(place: Destination, exported: onnx.ModelProto, samples: Sequence[Sample], folder: Path) -> dict[Path, Path]:
    """What a later ``verify`` or ``compare --against`` asks the references with."""
    onnx.save(exported, folder / "exported.onnx")
    write_sets(folder / "inputs.npz", [(s.name, s.arrays) for s in samples if s.strict])
    return {place.folder / f"{place.name}.{n}": folder / n for n in ("exported.onnx", "inputs.npz")}


def _project(
    report: Report, rewritten: Rewritten, emitted: Emitted, samples: Sequence[Sample], folder: Path
) -> list[Path]:
    folder.mkdir()
    return write_project(
        folder,
        name=emitted.named.name,
        header=emitted.header,
        weights=emitted.weights,
        inputs=report.inputs,
        outputs=report.outputs,
        vectors=list(_vectors(report, rewritten, samples)),
        tolerances={p.cpp: _tolerance(p, report) for p in report.outputs},
    )


def _vectors(report: Report, rewritten: Rewritten, samples: Sequence[Sample]) -> Iterator[Vector]:
    """The first few inputs that were judged in full, with what onnxruntime makes of them."""
    reference = OnnxReference(rewritten.model)
    for sample in islice((s for s in samples if s.strict), VECTORS):
        try:
            expected = reference(sample.arrays)
        except BadSamples:
            continue  # verification left these inputs out as well, and said so
        if not _decided(report, expected, noise(reference, sample, expected)):
            continue  # two right programs would differ here
        sizes = {
            d: n
            for p in report.inputs
            for d, n in zip(p.shape, sample.arrays[p.name].shape, strict=True)
            if isinstance(d, str)
        }
        yield Vector(
            sample.name,
            sizes,
            {p.cpp: np.asarray(sample.arrays[p.name]) for p in report.inputs},
            {p.cpp: expected[p.name] for p in report.outputs},
        )


def _decided(report: Report, expected: Arrays, moved: Mapping[str, Array | float]) -> bool:
    limits = {p.name: Tolerance(*_tolerance(p, report)) for p in report.outputs}
    return not any(compare(a, a, limits[n], moved[n]).undecided for n, a in expected.items())


def _tolerance(port: Port, report: Report) -> tuple[float, float]:
    measured = report.verification.measured if report.verification is not None else ()
    used = next((m.tolerance for m in measured if m.output == port.name), Tolerance.of(np.dtype(port.dtype)))
    return used.rtol, used.atol


def prepend_summary(header: Path, report: Report, rewritten: Rewritten) -> None:
    """Put in front of SOFIE's text what the header is, how it was judged and where its operators come from."""
    header.write_text(preamble(report, rewritten) + header.read_text())
