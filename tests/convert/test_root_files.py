"""Models in ROOT files: written, read again, and given back bit for bit."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

import convert
import sofie_bridge
from convert import root_file
from convert.errors import BadModel, ConvertError, Mismatch, MissingPackage, UsageError, WriteError
from convert.root_layout import HEADER, INSTALL, MODEL, RECORD
from converters import root_objects
from sofie_bridge import root_install
from sofie_bridge.layers import instrumented

uproot = pytest.importorskip("uproot", reason="uproot is not installed (extra root)")
pytestmark = pytest.mark.skipif(not root_install.python_has_root(), reason="ROOT is not installed (extra root)")

FIXTURES = Path(__file__).parents[2] / "fixtures"
CATALOGUE = tomllib.loads((FIXTURES / "fixtures.toml").read_text())
WEIGHTS = ("file", "embed", "safetensors", "root")

TWO = """(float[N,3] x, int64[2] i) => (float[N,3] y, int64[2] j) <float[3] w={1,2,3}, int64[2] k={5,6}>
    { z = Mul(x, w) y = Relu(z) j = Add(i, k) }"""
BARE = "(float[N,3] x) => (float[N,3] y) { y = Relu(x) }"


def written(text: str, name: str, folder: Path) -> Path:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> {name} {text}')
    onnx.save(model, folder / f"{name}.onnx")
    return folder / f"{name}.onnx"


def objects(file: Path, name: str) -> dict[str, Any]:
    with root_objects.open_file(file) as held:
        return dict(root_objects.read_objects(held, name, file))


def stages(report: convert.Report) -> list[str]:
    return [stage.name for stage in report.stages]


def there_and_back(source: Path, weights: Any, folder: Path, *, verify: bool) -> tuple[Path, Path, Path]:
    """The folder of a conversion, the ROOT file of another, and the folder of what was taken back from that."""
    convert.convert(source, output=folder / "made", weights=weights, verify=verify)
    # the header names the file that it reads its weights from
    file = folder / f"{source.stem}.root"
    convert.convert(source, output=file, to="root", weights=weights, verify=verify)
    report = convert.convert(file, output=folder / "back", verify=verify)
    assert report.verified == verify
    assert [s.name for s in report.stages] == ["load", "restore", "verify", "write"]
    return folder / "made", file, folder / "back"


def check_same(made: Path, back: Path) -> None:
    names = sorted(p.name for p in made.iterdir())
    assert names == sorted(p.name for p in back.iterdir())
    for name in names:
        if not name.endswith(".root"):  # which holds the dates of its keys
            assert (made / name).read_bytes() == (back / name).read_bytes(), name


def check_stored(file: Path, back: Path) -> None:
    """What was taken back is what is in the file."""
    held = objects(file, file.stem)
    assert held[HEADER] == (back / f"{file.stem}.hxx").read_text()
    digest = json.loads(held[RECORD])["digest"]
    kept = [p for p in back.iterdir() if p.suffix in (".dat", ".safetensors")]
    assert [hashlib.sha256(p.read_bytes()).hexdigest() for p in kept] == ([digest] if digest else [])
    for path in back.glob("*.root"):
        again = objects(path, file.stem)
        weights = {n for n in held if n.startswith("weights/")}
        assert weights == {n for n in again if n.startswith("weights/")}
        assert all(np.array_equal(again[n], held[n]) for n in weights)


@pytest.mark.parametrize("name", CATALOGUE)
def test_bit_for_bit(name: str, tmp_path: Path) -> None:
    made, file, back = there_and_back(FIXTURES / f"{name}.onnx", None, tmp_path, verify=False)
    check_same(made, back)
    dat = (made / f"{name}.dat").stat().st_size
    header = (made / f"{name}.hxx").stat().st_size
    # mlp has 713 numbers: its header alone, of which 20 kB are SOFIE's own functions, takes half the file
    assert file.stat().st_size < (dat if name != "mlp" else dat + header)


@pytest.mark.sweep
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize(
    "source",
    sorted(p for pattern in ("*.onnx", "*.pt2", "keras2/*.keras") for p in FIXTURES.glob(pattern)),
    ids=lambda p: p.name,
)
def test_every_fixture_with_every_place_of_weights(source: Path, weights: str, tmp_path: Path) -> None:
    if source.suffix == ".keras":
        pytest.importorskip("tf_keras", reason="tf-keras is not installed")
    made, file, back = there_and_back(source, weights, tmp_path, verify=True)
    check_stored(file, back)
    if source.suffix != ".keras":  # which numbers its layers anew in each conversion
        check_same(made, back)
    if weights == "root" and source.stem in CATALOGUE:
        convert.convert(source, output=tmp_path / "dat", verify=False)
        dat = next((tmp_path / "dat").glob("*.dat")).stat().st_size
        assert next(made.glob("*.root")).stat().st_size < dat


def test_a_header_that_reads_its_weights_from_the_file(tmp_path: Path) -> None:
    """Smaller than SOFIE's text file; the network's own answers."""
    report = convert.convert(FIXTURES / "mlp.onnx", output=tmp_path, weights="root", verify=False)
    assert [p.name for p in report.files] == ["mlp.hxx", "mlp.root"]
    convert.convert(FIXTURES / "mlp.onnx", output=tmp_path / "dat", verify=False)
    assert (tmp_path / "mlp.root").stat().st_size < (tmp_path / "dat" / "mlp.dat").stat().st_size
    with np.load(FIXTURES / "mlp.samples.npz") as samples:
        x, expected = samples["x"], samples["probability"]
    with sofie_bridge.load(tmp_path / "mlp.hxx") as header:
        found = header(x)["probability"]
    np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=1e-4, atol=1e-5)
    assert HEADER not in objects(tmp_path / "mlp.root", "mlp")  # it lies beside it
    looked_into = instrumented((tmp_path / "mlp.hxx").read_text(), ["relu"])
    assert looked_into.index('sofie_layer("relu"') > looked_into.index("Relu(tensor_relu")
    (tmp_path / "mlp.root").unlink()
    with pytest.raises(ConvertError, match=r"ROOT cannot open .*mlp\.root"):
        sofie_bridge.load(tmp_path / "mlp.hxx", dims={"N": 3})


def test_inputs_of_several_types_an_open_size_and_no_weights_at_all(tmp_path: Path) -> None:
    file = tmp_path / "nets.root"
    convert.convert(written(TWO, "two", tmp_path), to="root", output=file, weights="root", verify=False)
    report = convert.convert(f"{file}:two", output=tmp_path / "out")
    assert report.verified
    assert [p.name for p in report.files] == ["two.hxx", "nets.root"]
    report = convert.convert(written(BARE, "bare", tmp_path), output=tmp_path / "out", weights="root", verify=False)
    assert [p.name for p in report.files] == ["bare.hxx"]


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with "two" and "bare", and what is not of ours."""
    folder = tmp_path_factory.mktemp("nets")
    file = folder / "nets.root"
    with uproot.recreate(file) as other:
        other["calibration/constants"] = np.histogram(np.arange(4.0))
    convert.convert(written(TWO, "two", folder), to="root", output=file, verify=False)
    convert.convert(folder / "two.onnx", to="root", output=f"{file}:other", verify=False)
    return file


def test_one_more_leaves_the_others_as_they_are(nets: Path, tmp_path: Path) -> None:
    file = tmp_path / "nets.root"
    file.write_bytes(nets.read_bytes())
    before = objects(file, "two")
    convert.convert(written(BARE, "bare", tmp_path), to="root", output=f"{file}:other", verify=False)
    with root_objects.open_file(file) as held:
        assert set(root_objects.models_in(held)) == {"two", "other"}
        assert held["calibration/constants"].values().sum() == 4
    after = objects(file, "two")
    assert after.keys() == before.keys()
    assert all(np.array_equal(after[n], before[n]) for n in after)
    assert "weights/tensor_w" not in objects(file, "other")  # replaced
    assert not list(tmp_path.glob(".sofie-*"))


def test_what_another_conversion_adds_in_the_meantime_is_not_lost(
    nets: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / "nets.root"
    written_with: list[bool] = []

    def write(file: Path, name: str, held: dict[str, Any]) -> None:
        if not written_with:
            shutil.copy(nets, place)  # the other one
        written_with.append(file.exists())
        shutil.copy(nets, file)

    monkeypatch.setattr(root_file, "write_directory", write)
    root_file.filled(place, "two", objects(nets, "two"), tmp_path / "scratch.root")
    assert written_with == [False, True]


def test_which_of_several(nets: Path, tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"several models.*\n.*two, other.*\n.*nets\.root:two or "):
        convert.convert(nets, output=tmp_path)
    with pytest.raises(BadModel, match=r"no model othr .*\n.*two, other.*\n.*did you mean .*nets\.root:other\?"):
        convert.convert(f"{nets}:othr", output=tmp_path)
    by_option = convert.convert(nets, factory="two", output=tmp_path, verify=False)
    by_name = convert.convert(f"{nets}:two", output=tmp_path, verify=False)
    assert by_option.name == by_name.name == "two"
    assert by_name.source == f"{nets}:two"
    assert list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"weights": "embed"}, "--weights embed"),
        ({"output": "renamed.hxx"}, "the name renamed"),
        ({"inputs": ["x:float32[5,3]"]}, "--input"),
        ({"to": "project"}, ""),
        ({"to": "onnx"}, ""),
    ],
)
def test_what_is_asked_for_otherwise_is_converted_anew(
    options: dict[str, Any], named: str, nets: Path, tmp_path: Path
) -> None:
    place = tmp_path / options.pop("output", "")
    report = convert.convert(f"{nets}:two", output=place, verify=False, **options)
    assert ("restore" in stages(report)) == (not named)
    assert any(f"converted anew: the header in the file does not go with {named}" in n for n in report.notes) == bool(
        named
    )
    assert report.files


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``change(name, how)``: an object of the file is another than it was."""

    def make(name: str, how: Callable[[Any], Any]) -> None:
        real = root_objects.read_objects

        def read(*arguments: Any) -> dict[str, Any]:
            held = dict(real(*arguments))
            return held | {name: how(held[name])}

        monkeypatch.setattr("converters.from_root.read_objects", read)

    return make


@pytest.mark.parametrize(
    "how",
    [
        lambda header: header.replace("infer(", "infer( /* evil */", 1),
        lambda header: 'int evil = (system("touch evil"), 0);\n' + header,
        lambda header: "// evil \\\n" + header,
        lambda header: "// \r int evil;\n" + header,
        lambda header: "evil",
    ],
    ids=("in the code", "before it", "a comment that goes on", "a line's other end", "no header"),
)
def test_a_changed_header_is_not_run(
    how: Callable[[str], str], nets: Path, change: Callable[..., None], tmp_path: Path
) -> None:
    """It is given back where the installed SOFIE writes the same, else the model in the file is converted anew."""
    change(HEADER, how)
    report = convert.convert(f"{nets}:two", output=tmp_path, verify=False)
    assert any(n.startswith("converted anew: the stored header, of pysofie-") for n in report.notes)
    assert [s.state for s in report.stages if s.name == "restore"] == ["again"]
    assert "evil" not in (tmp_path / "two.hxx").read_text()


def test_a_stored_header_that_is_wrong_is_not_given_back(
    nets: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It was written with --no-verify or --keep-going, and could not be told from a right one without being run."""
    seen = []

    def verify(self: Any, *_: Any) -> None:
        seen.append([s.name for s in self.report.stages])
        if len(seen) == 1:
            raise Mismatch("the header's numbers are not the reference's")

    monkeypatch.setattr("convert.pipeline._Steps.verify", verify)
    report = convert.convert(f"{nets}:two", output=tmp_path)
    assert seen == [["load", "restore"], ["load", "restore", "verify", "rewrite", "emit"]]
    assert "converted anew: the stored header does not compute what the model does" in report.notes
    assert (tmp_path / "two.hxx").exists()


def test_other_weights_than_the_headers_are_not_taken_for_its(
    nets: Path, change: Callable[..., None], tmp_path: Path
) -> None:
    """The weight file would be another than the record says."""
    change("weights/tensor_w", lambda array: array + 1)
    report = convert.convert(f"{nets}:two", output=tmp_path, verify=False)
    assert any("converted anew" in n for n in report.notes)


@pytest.mark.parametrize(
    ("name", "how", "words"),
    [
        (RECORD, lambda _: "{}", "record is damaged"),
        (RECORD, lambda record: record.replace('"format":1', '"format":2'), "in the form 2, and 1 is the newest"),
        (MODEL, lambda content: content[:50], "cannot be read"),
        ("weights/tensor_w", lambda array: array[:2], "cannot be read"),
    ],
)
def test_what_is_damaged(
    name: str, how: Callable[[Any], Any], words: str, nets: Path, change: Callable[..., None], tmp_path: Path
) -> None:
    change(name, how)
    with pytest.raises(BadModel, match=words):
        convert.convert(f"{nets}:two", output=tmp_path, verify=False)


def test_a_file_without_a_model_says_what_it_holds(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "a.root") as file:
        file["Events"] = {"pt": np.arange(3.0)}
        file["mass"] = np.histogram(np.arange(4.0))
    with pytest.raises(BadModel, match=r"no model in this ROOT file.*\n.*holds Events \([\w:]+\), mass \(TH1D\)"):
        convert.convert(tmp_path / "a.root", output=tmp_path)


def test_sofies_own_representation_is_recognised(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only a ROOT with SOFIE writes one."""
    with uproot.recreate(tmp_path / "a.root") as file:
        file["model"] = "text"
    kind = "TMVA::Experimental::SOFIE::RModel"
    monkeypatch.setattr(uproot.ReadOnlyDirectory, "classnames", lambda *_, **__: {"model": kind})
    with pytest.raises(BadModel, match=r"model is SOFIE's own RModel.*\n.*6\.42.*\n.*convert the model that"):
        convert.convert(tmp_path / "a.root", output=tmp_path)


@pytest.mark.parametrize("size", [4, 200, 1500])
def test_a_truncated_file(size: int, nets: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.root").write_bytes(nets.read_bytes()[:size])
    with pytest.raises(BadModel, match="truncated or damaged"):
        convert.convert(tmp_path / "cut.root", output=tmp_path / "out")


def test_places_that_cannot_take_a_model(nets: Path, tmp_path: Path) -> None:
    two = written(TWO, "two", tmp_path)
    (tmp_path / "a.root").write_text("text")
    with pytest.raises(WriteError, match=r"cannot write into .*a\.root"):
        convert.convert(two, to="root", output=tmp_path / "a.root")
    assert (tmp_path / "a.root").read_text() == "text"
    with pytest.raises(WriteError, match="it holds calibration, which is no model"):
        convert.convert(two, to="root", output=f"{nets}:calibration")
    with pytest.raises(UsageError, match=r"--to header does not write a\.root"):
        convert.convert(two, output=tmp_path / "a.root")
    with pytest.raises(UsageError, match="--to project does not go with --weights root"):
        convert.convert(two, to="project", weights="root", output=tmp_path / "p")


def test_what_does_not_come_back_is_not_handed_over(
    monkeypatch: pytest.MonkeyPatch, nets: Path, tmp_path: Path
) -> None:
    """Another model is what was "written"."""
    monkeypatch.setattr(root_file, "write_directory", lambda file, *_: shutil.copy(nets, file))
    with pytest.raises(WriteError, match="not the same: record"):
        convert.convert(written(TWO, "two", tmp_path), to="root", output=tmp_path / "a.root", verify=False)
    assert not (tmp_path / "a.root").exists()


def test_without_root_the_error_names_the_install_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(root_install, "_find", lambda _: None)
    wishes: tuple[dict[str, Any], ...] = ({"to": "root"}, {"weights": "root"})
    for options in wishes:
        with pytest.raises(MissingPackage) as caught:
            convert.convert(written(TWO, "two", tmp_path), output=tmp_path, **options)
        assert caught.value.finding.advice == INSTALL


def test_without_uproot_the_error_names_the_install_line(
    monkeypatch: pytest.MonkeyPatch, nets: Path, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "uproot", None)
    with pytest.raises(MissingPackage, match="uproot") as caught:
        convert.convert(f"{nets}:two", output=tmp_path)
    assert caught.value.finding.advice == INSTALL


def test_root_reads_it_without_us(nets: Path) -> None:
    """In a process that knows nothing of this program."""
    code = """
import sys, ROOT
file = ROOT.TFile(sys.argv[1])
two = file.GetDirectory("two")
print(list(two.GetDirectory("weights").Get("tensor_w")), two.Get("header").GetString().Contains("SOFIE_two"))
print(two.Get("onnx").size() > 100, file.GetDirectory("calibration").Get("constants").GetEntries())
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, nets], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["[1.0, 2.0, 3.0] True", "True 4.0"]
