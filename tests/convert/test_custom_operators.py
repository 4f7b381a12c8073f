"""Models with C++ of a user's through the whole pipeline: verified headers, and the files beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from custom_operators import SCALE, declare
from small_models import parse

import convert
from convert.cli import main
from convert.custom import CustomOperator, custom_operator, declared_for
from convert.errors import IllegalOperators, Mismatch, WriteError

DOMAINS = {"test": 1}
#: Three operators, two outputs each, of mixed dtypes, over an open dimension.
THREE = """(float[N,6] x) => (float[K,4] y, int64[N] at, bool[N] mask, float[N] top) <float[6,6] w, float[4] b={1,2,3,4}> {
    h = MatMul(x, w)
    l, r = test.Split<at=4>(h)
    top, at = test.Best(r)
    a = Relu(l)
    p, mask = test.Pairs<scale=0.5>(a, at)
    y = Add(p, b)
}""".replace("w,", "w={" + ",".join(f"{(k * 7 % 11 - 5) / 10}" for k in range(36)) + "},")
ONE = "(float[N,4] x) => (float[N,4] y) { h = Neg(x) y = test.Scale<by=2.0>(h) }"


@pytest.fixture
def operators() -> Iterator[dict[str, CustomOperator]]:
    with declared_for():
        yield declare()


@pytest.fixture
def scale(tmp_path: Path) -> Iterator[CustomOperator]:
    """With its C++ in a file."""
    (tmp_path / "scale.hpp").write_text("#pragma once" + SCALE)
    with declared_for():
        made = custom_operator("test::Scale", header=str(tmp_path / "scale.hpp"))(lambda x, *, by: x)
        yield made.numpy(lambda x, *, by: x * type(x.flat[0])(by))


def test_three_operators(operators: dict[str, CustomOperator], tmp_path: Path) -> None:
    report = convert.convert(parse(THREE, domains=DOMAINS), output=tmp_path / "three.hxx")
    assert report.verified
    assert report.verification is not None
    assert report.verification.reference == "onnxruntime and NumPy"
    assert [f.name for f in report.files] == ["three.hxx", "three.safetensors"]
    assert [n for n in report.notes if "one safetensors file" in n]
    text = (tmp_path / "three.hxx").read_text()
    assert "test::Pairs" in text
    assert "Compiled, run and compared" in text


def test_files_beside_the_header(scale: CustomOperator, tmp_path: Path) -> None:
    model, out = parse(ONE, domains=DOMAINS), tmp_path / "out"
    report = convert.convert(model, output=out / "one.hxx", verify=False, weights="file")
    assert [f.name for f in report.files] == ["one.hxx", "scale.hpp"]
    assert "one safetensors file" in " ".join(report.notes)
    (out / "scale.hpp").write_text("// the user's own")
    with pytest.raises(WriteError, match="is there and differs"):
        convert.convert(model, output=out / "one.hxx", verify=False)
    report = convert.convert(model, output=out / "one.hxx", verify=False, inline_operators=True)
    assert [f.name for f in report.files] == ["one.hxx"]
    report = convert.convert(model, output=tmp_path / "beside.hxx", verify=False)  # where it is already
    assert [f.name for f in report.files] == ["beside.hxx"]


def test_a_project_stands_alone(scale: CustomOperator, tmp_path: Path) -> None:
    report = convert.convert(parse(ONE, domains=DOMAINS), to="project", output=tmp_path / "p", verify=False)
    assert "scale.hpp" not in {f.name for f in report.files}
    assert "struct Scale" in (tmp_path / "p" / report.files[0].name).read_text()


@pytest.mark.sweep
def test_a_header_made_before(scale: CustomOperator, tmp_path: Path) -> None:
    """It is verified with what declares its operators, and every tensor between the stages is looked at."""
    onnx.save(parse(ONE, domains=DOMAINS), tmp_path / "one.onnx")
    convert.convert(tmp_path / "one.onnx", output=tmp_path, verify=False, paranoid=True)
    told = tmp_path / "told.json"
    model = str(tmp_path / "one.onnx")
    assert main(["verify", str(tmp_path / "one.hxx"), "--onnx", model, "--layers", "--json", str(told)]) == 0
    assert [layer["operator"] for layer in json.loads(told.read_text())["layers"]] == ["Neg", "Scale"]


@pytest.mark.sweep
def test_the_latency_is_the_header_s_alone(scale: CustomOperator, tmp_path: Path) -> None:
    """onnxruntime does not know the operator."""
    report = convert.convert(parse(ONE, domains=DOMAINS), output=tmp_path, verify=False, bench=True)
    assert set(report.latency) == {"header"}


def test_cpp_and_numpy_that_disagree(scale: CustomOperator, tmp_path: Path) -> None:
    scale.numpy(lambda x, *, by: x * type(x.flat[0])(by * 1.01))
    with pytest.raises(Mismatch, match=r"the C\+\+ of test::Scale and its NumPy implementation disagree"):
        convert.convert(parse(ONE, domains=DOMAINS), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_dtype_without_cpp_is_refused(tmp_path: Path) -> None:
    with declared_for():
        custom_operator("test::Half", code="-")(lambda x: x.like(dtype="float16"))
        text = "(float[4] x) => (float[4] y) { h = test.Half(x) y = Cast<to=1>(h) }"
        with pytest.raises(IllegalOperators, match="float16 has no type in C"):
            convert.convert(parse(text, domains=DOMAINS), output=tmp_path)


def test_an_attribute_without_cpp_is_refused(tmp_path: Path) -> None:
    with declared_for():
        custom_operator("test::Loop", code="-")(lambda x, *, body: x)
        text = "(float[4] x) => (float[4] y) { y = test.Loop<body = b () => (float[1] z) { z = Neg(x) }>(x) }"
        with pytest.raises(IllegalOperators, match="its attribute body is of a kind that has no type"):
            convert.convert(parse(text, domains=DOMAINS), output=tmp_path)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scale.hpp").write_text("#pragma once" + SCALE)
    (tmp_path / "scale_operators.py").write_text(
        "from convert.custom import custom_operator\n"
        "custom_operator('test::Scale', header='scale.hpp')(lambda x, *, by: x)\n"
    )
    onnx.save(parse(ONE, domains=DOMAINS), tmp_path / "one.onnx")
    given = [str(tmp_path / "one.onnx"), "--custom-operators", str(tmp_path / "scale_operators.py")]
    told = tmp_path / "report.json"
    assert main([*given, "--check"]) == 0
    options = ["-o", str(tmp_path / "out"), "--weights", "embed", "--json", str(told), "--no-verify"]
    assert main([*given, *options]) == 0
    said = capsys.readouterr()
    assert [Path(f).name for f in said.out.splitlines()] == ["one.hxx", "scale.hpp"]
    assert "the C++ of test::Scale itself is unverified" in said.err
    assert json.loads(told.read_text())["files"] == said.out.splitlines()
    assert main(given[:1]) == 3  # without its declaration nobody knows it
    error = capsys.readouterr().err
    assert "test.Scale" in error
    assert "--custom-operators" in error
