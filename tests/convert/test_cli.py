"""The command line as a user meets it: outputs, names, exit codes, what goes to stdout and what to stderr."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

import sofie_bridge
from convert.cli import main
from rewrite import rule as registry
from rewrite.api import load_rules
from sofie_bridge.reference import OnnxReference

FIXTURES = Path(__file__).parents[2] / "fixtures"
MLP = str(FIXTURES / "mlp.onnx")


def model(tmp_path: Path, text: str, name: str = "model.onnx") -> str:
    """An ONNX file from text."""
    path = tmp_path / name
    onnx.save(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]> g {text}'), path)
    return str(path)


def test_header_beside_its_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([MLP, "--to", "header", "--output", f"{tmp_path}/out/"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(tmp_path / "out" / "mlp.hxx"), str(tmp_path / "out" / "mlp.dat")]
    assert [line.split()[0] for line in said.err.splitlines()] == ["load", "rewrite", "emit", "verify", "write"]
    with np.load(FIXTURES / "mlp.samples.npz") as samples, sofie_bridge.load(tmp_path / "out" / "mlp.hxx") as header:
        found = header(samples["x"])
        np.testing.assert_allclose(found["probability"], samples["probability"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("weights", ["embed", "safetensors"])
def test_weights_elsewhere(tmp_path: Path, weights: str) -> None:
    assert main([MLP, "--weights", weights, "--output", str(tmp_path / "net.hxx")]) == 0
    expected = {"embed": {"net.hxx"}, "safetensors": {"net.hxx", "net.safetensors"}}[weights]
    assert {f.name for f in tmp_path.iterdir()} == expected
    assert "namespace SOFIE_net" in (tmp_path / "net.hxx").read_text()


def test_onnx_is_the_rewritten_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = model(tmp_path, "(float[2,3] x) => (float[2,3] y) { y = Mish(x) }", "mish.onnx")
    assert main([source, "--to", "onnx", "--output", str(tmp_path / "out.onnx")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out.onnx'}\n"
    rewritten = onnx.load(tmp_path / "out.onnx")
    onnx.checker.check_model(rewritten, full_check=True)
    assert "Mish" not in {n.op_type for n in rewritten.graph.node}
    x = np.linspace(-3, 3, 6, dtype=np.float32).reshape(2, 3)
    before, after = OnnxReference(onnx.load(source))({"x": x}), OnnxReference(rewritten)({"x": x})
    np.testing.assert_allclose(after["y"], before["y"], rtol=1e-5, atol=1e-6)


def test_header_again_from_the_rewritten_model(tmp_path: Path) -> None:
    assert main([MLP, "--to", "onnx", "--output", str(tmp_path / "mlp.onnx")]) == 0
    assert main([str(tmp_path / "mlp.onnx"), "--output", str(tmp_path)]) == 0


def test_check_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = model(tmp_path, "(float[2,3] x) => (float[2,3] y) { a = Mish(x) y = Relu(a) }")
    assert main([source, "--check"]) == 0
    said = capsys.readouterr()
    rows = {words[0]: words[1:] for words in (line.split() for line in said.err.splitlines()) if len(words) == 5}
    assert rows["Mish"] == ["1", "-", "1", "-"]
    assert rows["Relu"] == ["1", "1", "-", "-"]
    assert [f.name for f in tmp_path.iterdir()] == ["model.onnx"]


def test_check_says_where_and_why_there_is_no_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = model(tmp_path, "(float[2,3] x) => (float[2,3] y) { [drawn] y = RandomNormalLike(x) }")
    assert main([source, "--check"]) == 3
    said = capsys.readouterr().err
    assert "RandomNormalLike" in said
    assert "drawn" in said
    assert "is refused" in said
    assert "because: random" in said
    assert "try: draw outside the model" in said


def test_no_way_is_an_error_with_every_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = model(
        tmp_path,
        "(float[2,3] x) => (float[2,3] y, float[2,3] z) { [one] y = RandomNormalLike(x) [two] z = Bernoulli(x) }",
    )
    assert main([source, "--output", str(tmp_path / "out")]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert "'one'" in said.err
    assert "'two'" in said.err
    assert not (tmp_path / "out").exists()


def test_no_verify_compiles_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sofie_bridge.toolchain.find", lambda: pytest.fail("a compiler was asked for"))
    assert main([MLP, "--no-verify", "--output", str(tmp_path)]) == 0
    assert "SKIPPED" in capsys.readouterr().err
    assert "NOT VERIFIED" in (tmp_path / "mlp.hxx").read_text()


def test_json_holds_the_whole_report(tmp_path: Path) -> None:
    assert main([MLP, "--output", str(tmp_path), "--json", str(tmp_path / "report.json")]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["verified"] is True
    assert report["inputs"] == [{"name": "x", "cpp": "x", "dtype": "float32", "shape": ["N", 4]}]
    assert {m["edge"] for m in report["verification"]["measured"]} == {"rules", "sofie", "header vs exported"}
    assert all(m["absolute"] <= 1e-5 for m in report["verification"]["measured"])
    assert [s["name"] for s in report["stages"]] == ["load", "rewrite", "emit", "verify", "write"]
    assert report["peak_memory"] > 0


def test_own_inputs_are_compared_on(tmp_path: Path) -> None:
    with np.load(FIXTURES / "mlp.samples.npz") as samples:
        np.savez(tmp_path / "data.npz", x=samples["x"])
    arguments = [MLP, "--output", str(tmp_path), "--inputs", str(tmp_path / "data.npz"), "--json", str(tmp_path / "r")]
    assert main(arguments) == 0
    assert "data.npz" in json.loads((tmp_path / "r").read_text())["verification"]["samples"]


def test_a_symbolic_dimension_can_be_fixed_or_named(tmp_path: Path) -> None:
    assert main([MLP, "--input", "x:float32[5,4]", "--output", str(tmp_path / "fixed.hxx")]) == 0
    assert "infer(float const* tensor_x)" in (tmp_path / "fixed.hxx").read_text()
    assert main([MLP, "--input", "x:float32[EVENTS,4]", "--output", str(tmp_path / "named.hxx")]) == 0
    assert "infer(size_t EVENTS,float const* tensor_x)" in (tmp_path / "named.hxx").read_text()


def test_equal_models_give_equal_headers(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        assert main([MLP, "--no-verify", "--output", str(tmp_path / folder)]) == 0
    assert (tmp_path / "a" / "mlp.hxx").read_bytes() == (tmp_path / "b" / "mlp.hxx").read_bytes()


def test_the_header_says_where_operators_come_from(tmp_path: Path) -> None:
    assert main([MLP, "--no-verify", "--output", str(tmp_path)]) == 0
    text = (tmp_path / "mlp.hxx").read_text()
    assert "fixtures/models.py:" in text.split("#ifndef")[0]


def test_paranoid_counts_what_it_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = model(tmp_path, "(float[N,3] x) => (float[N,3] y) { a = Mish(x) y = Relu(a) }", "mish.onnx")
    assert main([source, "--paranoid", "--output", str(tmp_path), "--json", str(tmp_path / "report.json")]) == 0
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["paranoid"]["checked"] > len(told["rewriting"]["trail"]) > 0
    assert told["paranoid"]["unjudged"] == []
    assert f"{told['paranoid']['checked']} changes checked" in capsys.readouterr().err
    assert main([MLP, "--no-verify", "--output", str(tmp_path), "--json", str(tmp_path / "report.json")]) == 0
    assert json.loads((tmp_path / "report.json").read_text())["paranoid"] is None


def test_paranoid_names_the_guilty_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    load_rules()
    monkeypatch.setattr(registry, "_RULES", {})

    @registry.rule("Sign", cases=[registry.case("(float[3] x) => (float[3] y) { y = Sign(x) }")])
    def sign_to_itself(_: registry.Op, node: registry.NodeView) -> registry.Result:
        """Sign(x) = x, which is wrong"""
        return node.x

    source = model(tmp_path, "(float[2,3] x) => (float[2,3] y) { [culprit] a = Sign(x) y = Relu(a) }")
    assert main([source, "--paranoid", "--no-verify", "--output", str(tmp_path / "out")]) == 3
    said = capsys.readouterr().err
    assert "the rule sign_to_itself changed the numbers of Sign(float32[2,3])" in said
    assert "at Sign node 'culprit'" in said
    assert not (tmp_path / "out").exists()
