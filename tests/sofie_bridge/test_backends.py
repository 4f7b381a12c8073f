"""Which SOFIE writes the headers: the Python package's, or ROOT's own, which is stood in for where no ROOT has it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import onnx
import onnx.parser
import pytest

from convert.errors import ConvertError, MissingPackage, NoCompiler, SofieRefused
from sofie_bridge import backends, root_install, signature
from sofie_bridge.backends.base import NO_WEIGHT_FILE, SAFETENSORS, Answer, Request
from sofie_bridge.backends.root import RootSofie, lacking, namespace, version
from sofie_bridge.emit import emit
from sofie_bridge.root_install import Root
from sofie_bridge.sofie import Sofie, build
from sofie_bridge.toolchain import find

RELU = '<ir_version: 8, opset_import: ["": 17]> g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }'
#: As ROOT 6.32 to 6.40 write it, from the sources of RModel_Base.cxx.
HEADER = """//Code generated automatically by TMVA for Inference of Model file [relu.onnx] at [Fri Nov 21 2025]

#ifndef TMVA_SOFIE_RELU
#define TMVA_SOFIE_RELU

#include <algorithm>
#include <vector>
#include "TMVA/SOFIE_common.hxx"
#include <fstream>

namespace TMVA_SOFIE_relu{
struct Session {
Session(std::string filename ="relu.dat") {
}
std::vector<float> infer(float* tensor_x){
   return tensor_y;
}
};
} //TMVA_SOFIE_relu
#endif
"""


def has_sofie() -> bool:
    try:
        build("root")
    except ConvertError:
        return False
    return True


class Model:
    """What PyROOT makes of SOFIE's RModel."""

    def __init__(self, path: str) -> None:
        if not path.endswith(".onnx"):
            raise RuntimeError("TMVA::SOFIE - not an ONNX file")
        self.name = Path(path).stem
        self.options = -1

    def Generate(self, options: int) -> None:  # noqa: N802 - ROOT's name
        self.options = options

    def GetTensorType(self, name: str) -> int:  # noqa: N802
        if name == "folded":
            raise RuntimeError("tensor folded not found")
        return int(onnx.TensorProto.FLOAT)

    def GetTensorShape(self, name: str) -> list[int]:  # noqa: N802
        if name == "open":
            raise RuntimeError("tensor open is dynamic")
        return [2, 3]

    def OutputGenerated(self, path: str) -> None:  # noqa: N802
        Path(path).write_text(HEADER)

    def ReturnGenerated(self) -> str:  # noqa: N802
        return HEADER


def root_with(monkeypatch: pytest.MonkeyPatch, options: Mapping[str, int] | None) -> None:
    """A module ROOT; without SOFIE where ``options`` is None, else with these options."""
    module: Any = ModuleType("ROOT")
    module.gROOT = SimpleNamespace(SetBatch=lambda _: None, GetVersion=lambda: "6.36.02")
    module.gInterpreter = SimpleNamespace(Declare=lambda _: False)
    if options is not None:
        sofie = SimpleNamespace(Options=SimpleNamespace(**options))
        sofie.RModelParser_ONNX = lambda: SimpleNamespace(Parse=Model)
        module.TMVA = SimpleNamespace(Experimental=SimpleNamespace(SOFIE=sofie))
    monkeypatch.setitem(sys.modules, "ROOT", module)


def installed(folder: Path, libraries: tuple[str, ...], release: str) -> Root:
    """The folders of a ROOT that is not there."""
    root = Root(folder / "include", folder / "lib")
    for place in (root.include / "ROOT", root.libraries):
        place.mkdir(parents=True)
    (root.include / "RVersion.h").write_text(release)
    for name in libraries:
        (root.libraries / name).write_bytes(name.encode())
    return root


# ------------------------------------------------------------------------------------------------------ which there are


def test_there_are_two_and_the_first_is_the_default() -> None:
    assert backends.NAMES == ("pysofie", "root")
    assert [backends.backend(name).name for name in backends.NAMES] == list(backends.NAMES)
    assert Sofie().backend == backends.DEFAULT == "pysofie"
    assert build() == build("pysofie")
    assert build().startswith("pysofie-")


@pytest.mark.skipif(has_sofie(), reason="this ROOT has SOFIE")
@pytest.mark.skipif(not root_install.python_has_root(), reason="ROOT is not installed (extra root)")
def test_the_wheel_is_told_apart_by_one_sentence() -> None:
    with pytest.raises(MissingPackage, match=r"this ROOT, \d\.\d+\.\d+, was built without SOFIE") as caught:
        build("root")
    finding = caught.value.finding
    assert "the wheel on PyPI was not" in finding.why
    for place in ("conda-forge", "LCG", "distribution", "--backend pysofie"):
        assert place in finding.advice


def test_without_any_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sofie_bridge.backends.root.python_has_root", lambda: False)
    with pytest.raises(MissingPackage, match="ROOT is not installed, and --backend root needs it"):
        RootSofie().build()


def test_a_build_is_the_version_and_the_content(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ("libROOTTMVASofie.so", "libROOTTMVASofieParser.so")
    builds = set()
    for k, (found, release) in enumerate(((names, "6.36.02"), (names[:1], "6.36.02"), (names, "6.40.00"))):
        root = installed(tmp_path / str(k), found, f'#define ROOT_RELEASE "{release}"\n')
        monkeypatch.setattr("sofie_bridge.backends.root.python_has_root", lambda: True)
        monkeypatch.setattr("sofie_bridge.backends.root.find", lambda _, root=root: root)
        builds.add(made := RootSofie.build.__wrapped__(RootSofie()))
        assert made.startswith(f"root-{release}-")
    assert len(builds) == 3


def test_the_version_in_parts(tmp_path: Path) -> None:
    text = "#define ROOT_VERSION_MAJOR 6\n#define ROOT_VERSION_MINOR 40\n#define ROOT_VERSION_PATCH 0\n"
    assert version(installed(tmp_path, (), text).include) == "6.40.00"


# ---------------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("options", "known", "missing"),
    [
        (0, {}, ""),
        (NO_WEIGHT_FILE, {"kNoWeightFile": 2}, ""),
        (SAFETENSORS, {"kNoWeightFile": 2, "kRootBinaryWeightFile": 4}, "kSafetensorsWeightFile"),
        (SAFETENSORS, {"kSafetensorsWeightFile": 512}, "kSafetensorsWeightFile"),  # another bit is another option
        (SAFETENSORS | 1024, {"kSafetensorsWeightFile": 256}, "0x400"),
    ],
)
def test_options_are_those_that_this_root_has(options: int, known: dict[str, int], missing: str) -> None:
    assert lacking(options, SimpleNamespace(**known)) == missing


def test_a_root_without_sofie_is_found_out_in_the_worker_too(monkeypatch: pytest.MonkeyPatch) -> None:
    root_with(monkeypatch, None)
    with pytest.raises(MissingPackage, match=r"this ROOT, 6\.36\.02, was built without SOFIE"):
        namespace()


def test_a_request_through_roots_parser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root_with(monkeypatch, {"kNoWeightFile": 2})
    content = onnx.parser.parse_model(RELU).SerializeToString()
    answer = RootSofie().generate(Request(content, tensors=("y", "open", "folded")), tmp_path)
    assert answer.outcome == "generated"
    assert answer.tensors == {"y": ("FLOAT", [2, 3]), "open": ("FLOAT", None)}
    assert answer.code == HEADER
    answer = RootSofie().generate(Request(content, header=str(tmp_path / "probe.hxx")), tmp_path)
    assert (answer.outcome, answer.code, (tmp_path / "probe.hxx").read_text()) == ("generated", "", HEADER)


def test_what_root_refuses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root_with(monkeypatch, {"kNoWeightFile": 2})
    answer = RootSofie().generate(Request(None, "model.txt"), tmp_path)
    assert (answer.outcome, answer.words) == ("refused", "TMVA::SOFIE - not an ONNX file")
    answer = RootSofie().generate(Request(None, "model.onnx", SAFETENSORS), tmp_path)
    words = "the SOFIE of this ROOT has not the option kSafetensorsWeightFile; it has kNoWeightFile"
    assert (answer.outcome, answer.words) == ("lacking", words)


def test_weights_that_this_root_does_not_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Told as such, and no node of the model is looked for that might be to blame."""
    root_with(monkeypatch, {"kNoWeightFile": 2, "kRootBinaryWeightFile": 4})

    class Here(Sofie):
        def ask(self, request: Request) -> Answer:
            return RootSofie().generate(request, tmp_path)

    model = onnx.shape_inference.infer_shapes(onnx.parser.parse_model(RELU))
    with pytest.raises(
        SofieRefused, match=r"does not write --weights safetensors\n.*it has kNoWeightFile, kRootBinary"
    ):
        emit(model, "relu", tmp_path, Here("root"), weights="safetensors")
    assert emit(model, "relu", tmp_path, Here("root"), weights="embed").header.read_text() == HEADER.partition("\n")[2]


# ---------------------------------------------------------------------------------------------------------- headers


def test_names_in_a_header_of_roots() -> None:
    names = signature.read(HEADER)
    assert (names.namespace, names.name) == ("TMVA_SOFIE_relu", "relu")
    assert (names.arguments, names.weights, names.outputs) == (("x",), "relu.dat", ("y",))


def test_a_header_of_roots_is_compiled_with_roots_flags(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = installed(tmp_path, ("libCore.so", "libRIO.so", "libROOTTMVASofie.so"), "")
    monkeypatch.setattr(root_install, "find", lambda _: root)
    assert root_install.flags([b"#include <vector>\n// TMVA/SOFIE_common.hxx"], "gcc") == ((), ())
    cflags, ldflags = root_install.flags([b"#include <vector>", HEADER.encode()], "gcc")
    assert cflags == ("-isystem", str(root.include))
    assert ldflags[1:-1] == ("-lCore", "-lRIO", "-lROOTTMVASofie")
    assert root_install.flags([b"#include <TFile.h>"], "clang")[1] == ldflags
    with pytest.raises(NoCompiler, match="no compiler for a header that needs ROOT"):
        root_install.flags([HEADER.encode()], "zig")


def test_root_is_found_by_root_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As distributions and conda-forge have it: the module ROOT elsewhere than its headers."""
    root = installed(tmp_path / "root", (), "")
    (root.include / "TFile.h").touch()
    config = tmp_path / "bin" / "root-config"
    config.parent.mkdir()
    config.write_text(f"#!/bin/sh\necho {root.include} {root.libraries}\n")
    config.chmod(0o755)
    monkeypatch.setattr(root_install, "find_spec", lambda _: None)
    assert root_install._find.__wrapped__(str(config.parent)) == root
    assert root_install._find.__wrapped__(str(tmp_path)) is None


# ------------------------------------------------------------------------------------------- where ROOT has SOFIE


@pytest.mark.skipif(not has_sofie(), reason="no ROOT with SOFIE is installed (the wheel has none)")
def test_a_model_through_roots_sofie(tmp_path: Path) -> None:
    import convert

    onnx.save(onnx.parser.parse_model(RELU), tmp_path / "relu.onnx")
    report = convert.convert(tmp_path / "relu.onnx", backend="root", output=tmp_path / "out")
    assert report.verified
    assert find().family != "zig"
