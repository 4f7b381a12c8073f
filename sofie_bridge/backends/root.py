"""ROOT's own SOFIE, where ROOT was built with it: ``ROOT.TMVA.Experimental.SOFIE.RModelParser_ONNX``.

What differs between the versions is found out, not looked up: which options there are, with which weight files, and by
which names. Headers are in the namespace ``TMVA_SOFIE_<name>`` and include ``TMVA/SOFIE_common.hxx`` up to ROOT 6.40.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

from convert.attempt import Attempt
from convert.errors import MissingPackage
from sofie_bridge.backends.base import NO_WEIGHT_FILE, SAFETENSORS, Answer, Request
from sofie_bridge.root_install import find, python_has_root

#: ROOT's names of the options' bits; which of them there are is the version's.
OPTIONS = {NO_WEIGHT_FILE: "kNoWeightFile", SAFETENSORS: "kSafetensorsWeightFile"}

_WHY = "ROOT has SOFIE where it was built with the option tmva-sofie, which wants protobuf; the wheel on PyPI was not"
_WHERE = (
    "take --backend pysofie, or a ROOT with SOFIE: conda-forge's (conda install -c conda-forge root), that of CERN's "
    "LCG releases (/cvmfs/sft.cern.ch/lcg/views), or a distribution's package"
)
_RELEASE = re.compile(r'#define\s+ROOT_RELEASE\s+"([^"]+)"|#define\s+ROOT_VERSION_(?:MAJOR|MINOR|PATCH)\s+(\d+)')


class RootSofie:
    """Drives ROOT's parser for ONNX through PyROOT."""

    name = "root"

    @cache  # noqa: B019 - there is one object of this class
    def build(self) -> str:
        if not python_has_root():
            raise MissingPackage("ROOT is not installed, and --backend root needs it", why=_WHY, advice=_WHERE)
        root = find("--backend root")
        libraries = sorted(root.libraries.glob("libROOTTMVASofie*.so"))
        if not libraries:
            raise MissingPackage(
                f"this ROOT, {version(root.include)}, was built without SOFIE", why=_WHY, advice=_WHERE
            )
        digest = hashlib.sha256()
        for library in libraries:
            digest.update(library.read_bytes())
        return f"root-{version(root.include)}-{digest.hexdigest()[:12]}"

    def prepare(self) -> None:
        import ROOT

        ROOT.gROOT.SetBatch(True)
        namespace()

    def generate(self, request: Request, folder: Path) -> Answer:
        with Attempt() as attempt:  # C++ exceptions arrive as whatever class cppyy makes of them
            return _generated(request, folder)
        words = str(attempt.error) or type(attempt.error).__name__
        return Answer("refused", words)


def version(include: Path) -> str:
    """ROOT's version, out of its headers: ``6.40.00``."""
    for name in ("ROOT/RVersion.hxx", "RVersion.h"):
        text = (include / name).read_text() if (include / name).exists() else ""
        found = _RELEASE.findall(text)
        whole = next((release for release, _ in found if release), "")
        parts = [part for _, part in found if part]
        if whole or parts:
            return whole or ".".join(part.zfill(2) if k else part for k, part in enumerate(parts[:3]))
    return "of unknown version"


def namespace() -> Any:
    """``TMVA::Experimental::SOFIE``, with the parser for ONNX in it.

    :raises MissingPackage: this ROOT has none.
    """
    import ROOT

    with Attempt():  # a ROOT without SOFIE fails by AttributeError at any of the names
        found = ROOT.TMVA.Experimental.SOFIE
        if not hasattr(found, "RModelParser_ONNX"):  # in a library of its own, which only its header brings
            ROOT.gInterpreter.Declare('#include "TMVA/RModelParser_ONNX.hxx"')
        _ = found.RModelParser_ONNX
        return found
    raise MissingPackage(f"this ROOT, {ROOT.gROOT.GetVersion()}, was built without SOFIE", why=_WHY, advice=_WHERE)


def lacking(options: int, known: Any) -> str:
    """The options among these bits that this SOFIE does not have, by their names; "" where it has all.

    :param known: ROOT's class ``Options``.
    """
    bits = {bit: name for bit, name in OPTIONS.items() if options & bit}
    rest = options & ~sum(OPTIONS)
    missing = [name for bit, name in bits.items() if not hasattr(known, name) or int(getattr(known, name)) != bit]
    return ", ".join([*missing, *([f"{rest:#x}"] if rest else [])])


def has(known: Any) -> str:
    """What this SOFIE has in place of options it lacks: those for weights, by their names.

    :param known: ROOT's class ``Options``.
    """
    return ", ".join(n for n in (*OPTIONS.values(), "kRootBinaryWeightFile") if hasattr(known, n)) or "none for weights"


def _generated(request: Request, folder: Path) -> Answer:
    from onnx import TensorProto

    sofie = namespace()
    missing = lacking(request.options, sofie.Options)
    if missing:
        return Answer("lacking", f"the SOFIE of this ROOT has not the option {missing}; it has {has(sofie.Options)}")
    model = sofie.RModelParser_ONNX().Parse(request.file(folder))
    model.Generate(request.options)
    tensors: dict[str, tuple[str, list[int] | None]] = {}
    for name in request.tensors:
        with Attempt() as attempt:
            # ROOT's ETensorType has ONNX's numbers
            kind = TensorProto.DataType.Name(int(model.GetTensorType(name)))
        if attempt.error is not None:
            continue  # folded away inside SOFIE
        with Attempt() as attempt:
            tensors[name] = (kind, [int(size) for size in model.GetTensorShape(name)])
        if attempt.error is not None:
            tensors[name] = (kind, None)
    if request.header is not None:
        model.OutputGenerated(request.header)
        return Answer("generated", tensors=tensors)
    return Answer("generated", tensors=tensors, code=str(model.ReturnGenerated()))


backend = RootSofie()
