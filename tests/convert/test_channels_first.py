"""``--layout nchw`` from end to end: shapes, notes, and that wrong numbers are still found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from small_models import parse

import convert
import sofie_bridge
from convert.cli import main
from convert.errors import BadSamples, UsageError

#: Channels last: a convolution by one element, of an input that is scaled first.
IMAGE = """(float[N,4,5,2] x, float[N,3] v) => (float[N,4,5,3] y, float[N,3] w)
    <float[2] c = {0.5, 2}, float[3,2,1,1] k = {1,2,3,4,5,6}>
    { s = Mul(x, c) a = Transpose<perm=[0,3,1,2]>(s) b = Conv(a, k) y = Transpose<perm=[0,2,3,1]>(b) w = Neg(v) }"""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    onnx.save(parse(IMAGE), tmp_path / "image.onnx")
    return tmp_path / "image.onnx"


def test_shapes_and_numbers(image: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(1).standard_normal((2, 4, 5, 2)).astype(np.float32)
    v = np.ones((2, 3), np.float32)
    report = convert.convert(image, output=tmp_path / "out", layout="nchw", samples={"x": x, "v": v})
    assert report.verified
    assert report.verification is not None
    assert "user" in report.verification.samples
    assert [p.shape for p in (*report.inputs, *report.outputs)] == [
        ("N", 2, 4, 5),
        ("N", 3),
        ("N", 3, 4, 5),
        ("N", 3),
    ]
    assert report.rewritten is not None
    assert report.rewritten.after["Transpose"] == 0
    assert "input x is channels first: [N,2,4,5], not [N,4,5,2]" in report.notes
    assert "output y is channels first: [N,3,4,5], not [N,4,5,3]" in report.notes
    with sofie_bridge.load(tmp_path / "out" / "image.hxx") as header:
        y, _ = header(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), v).values()
    wanted = np.einsum("nhwc,dc->ndhw", x * np.array([0.5, 2]), np.arange(1, 7).reshape(3, 2))
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)


def test_as_given_is_the_default(image: Path, tmp_path: Path) -> None:
    report = convert.convert(image, output=tmp_path / "out")
    assert report.inputs[0].shape == ("N", 4, 5, 2)
    assert report.rewritten is not None
    assert report.rewritten.after["Transpose"] == 2
    assert not any("channels first" in n for n in report.notes)


def test_samples_in_the_header_s_layout_do_not_fit(image: Path, tmp_path: Path) -> None:
    """They are the model's own: [N,4,5,2]."""
    samples = {"x": np.ones((2, 2, 4, 5), np.float32), "v": np.ones((2, 3), np.float32)}
    with pytest.raises(BadSamples):
        convert.convert(image, output=tmp_path / "out", layout="nchw", samples=samples)


def test_on_the_command_line(image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(image), "--layout", "nchw", "--output", str(tmp_path / "out"), "--no-verify"]) == 0
    assert "note: input x is channels first: [N,2,4,5], not [N,4,5,2]" in capsys.readouterr().err


def test_an_unknown_layout() -> None:
    with pytest.raises(UsageError, match="layout='nhwc' is none of as-given, nchw"):
        convert.convert("x.onnx", layout="nhwc")  # type: ignore[arg-type]
