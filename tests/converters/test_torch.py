"""PyTorch: every kind of file and object, and what is wrong with them."""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from code_files import module_of

from convert.errors import BadInput, BadModel, BadSamples, ExportFailed, LoadError, MissingPackage, UnsafeFile
from convert.spec import TensorSpec
from converters import Loaded, LoadOptions, load
from converters.torch_export import DYNAMO, SCRIPT
from converters.torch_failures import Failure

pytest.importorskip("torch")
import torch

Shapes = Callable[..., dict[str, list[int | str]]]
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def nets() -> Iterator[Any]:
    yield module_of(HERE / "torch_models.py")
    sys.modules.pop("torch_models", None)


def given(*texts: str, **options: Any) -> LoadOptions:
    return LoadOptions(inputs=tuple(TensorSpec.parse(text) for text in texts), **options)


def agree(loaded: Loaded, sizes: dict[str, int] | None = None, seed: int = 0) -> None:
    """onnxruntime on the exported model against the framework: float32, rtol 1e-5, atol 1e-6."""
    rng = np.random.default_rng(seed)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(loaded.model.SerializeToString(), options)
    arrays = {
        v.name: rng.normal(size=[(sizes or {})[d] if isinstance(d, str) else d for d in v.shape]).astype(np.float32)
        for v in session.get_inputs()
    }
    assert loaded.reference is not None
    kept = {name: array.copy() for name, array in arrays.items()}
    expected = loaded.reference(arrays)
    names = [v.name for v in session.get_outputs()]
    assert list(expected) == names
    for name, got in zip(names, session.run(names, arrays), strict=True):
        np.testing.assert_allclose(got, expected[name], rtol=1e-5, atol=1e-6, strict=True)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, kept[name])


def program(nets: Any, *, symbolic: bool = True) -> Any:
    n = torch.export.Dim("N")
    shapes = ({0: n}, None) if symbolic else None
    return torch.export.export(nets.Net().eval(), (torch.rand(4, 7), torch.rand(3)), dynamic_shapes=shapes)


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["p.pt2", "p.pt", "p.onnx"])
def test_program_file(nets: Any, tmp_path: Path, shapes_of: Shapes, name: str) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        torch.export.save(program(nets), file)
    loaded = load(path)
    assert (loaded.kind, loaded.exporter, loaded.name) == ("torch.export program", DYNAMO, "p")
    assert shapes_of(loaded.model) == {"x": ["N", 7], "scale": [3]}
    assert loaded.examples[0]["x"].shape == (4, 7)
    agree(loaded, {"N": 9})
    assert any("stack_trace" in p.key for n in loaded.model.graph.node for p in n.metadata_props)


def test_program_inputs(nets: Any, shapes_of: Shapes) -> None:
    loaded = load(program(nets), given("x:float32[batch,7]"))
    assert shapes_of(loaded.model)["x"] == ["batch", 7]
    fixed = load(program(nets), given("x:float32[6,7]"))
    assert shapes_of(fixed.model)["x"] == [6, 7]
    assert fixed.examples == ()
    agree(fixed)
    with pytest.raises(BadInput, match=r"x:float32\[4,7\] scale:float32\[3\][\s\S]*fixed size 4, not 5"):
        load(program(nets, symbolic=False), given("x:float32[5,7]"))


def _rewritten(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    out = path.with_name("changed.pt2")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return out


def test_program_that_could_run_code(nets: Any, tmp_path: Path) -> None:
    path = tmp_path / "p.pt2"
    torch.export.save(program(nets), path)

    def expression(name: str, content: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return content
        return json.dumps({**json.loads(content), "x": {"expr_str": "__import__('os').system('true')"}}).encode()

    def pickled(name: str, content: bytes) -> bytes:
        return (
            content.replace(b'"use_pickle": false', b'"use_pickle": true') if name.endswith("config.json") else content
        )

    def example(name: str, content: bytes) -> bytes:
        file = tmp_path / "e.pt"
        torch.save(nets.Net(), file)
        return file.read_bytes() if name.endswith("sample_inputs/model.pt") else content

    def old_protocol(name: str, content: bytes) -> bytes:
        return b"cos\nsystem\n(S'true'\ntR." if name.endswith("sample_inputs/model.pt") else content

    def custom(name: str, content: bytes) -> bytes:
        return content.replace(b'"weight_0"', b'"opaque_obj_0"') if name.endswith("config.json") else content

    for change, says in (
        (old_protocol, "more than plain tensors"),
        (custom, "object 'opaque_obj_0'"),
        (expression, "expression"),
        (pickled, "pickled object"),
        (example, "more than plain tensors"),
    ):
        with pytest.raises(UnsafeFile, match=f"{says}[\\s\\S]*--allow-pickle"):
            load(_rewritten(path, change))
    for member, says in (
        ("p/data/aotinductor/model/x.so", "compiled library"),
        ("P/models/MODEL.json", "share a name"),
    ):
        changed = _rewritten(path, lambda _, content: content)
        with zipfile.ZipFile(changed, "a") as archive:
            archive.writestr(member, "{}")
        with pytest.raises(UnsafeFile, match=says):
            load(changed)
    broken = _rewritten(path, lambda n, c: c[:50] if n.endswith("model.json") else c)
    with pytest.raises(BadModel, match="damaged"):
        load(broken)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # the archives are what is tested
@pytest.mark.parametrize("name", ["m.pt", "m.pt2", "m.bin"])
def test_torchscript_file(nets: Any, tmp_path: Path, shapes_of: Shapes, name: str) -> None:
    path = tmp_path / name
    torch.jit.save(torch.jit.script(nets.Branch().eval()), path)
    loaded = load(path, given("x:float32[N,3]"))
    assert (loaded.kind, loaded.exporter) == ("TorchScript archive", SCRIPT)
    assert shapes_of(loaded.model) == {"x": ["N", 3]}
    agree(loaded, {"N": 5})
    assert "If" in {n.op_type for n in loaded.model.graph.node}
    with pytest.raises(BadInput, match=r"--input 'x:float32"):
        load(path)


def test_pickled_module(nets: Any, tmp_path: Path) -> None:
    for number, zipped in enumerate((True, False)):
        path = tmp_path / f"m{number}.pth"
        torch.save(nets.Net(), path, _use_new_zipfile_serialization=zipped)
        options = given("float32[2,7]", "float32[3]")
        with pytest.raises(UnsafeFile, match=r"torch_models.Net[\s\S]*--allow-pickle"):
            load(path, options)
        loaded = load(path, given("float32[2,7]", "float32[3]", allow_code=True))
        assert loaded.kind == "pickled torch.nn.Module"
        assert any("training mode" in note for note in loaded.notes)
        agree(loaded)


def test_pickle_whose_class_is_gone(nets: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(nets.Net(), tmp_path / "m.pt")
    monkeypatch.delitem(sys.modules, "torch_models")
    with pytest.raises(BadModel, match=r"torch_models[\s\S]*PYTHONPATH"):
        load(tmp_path / "m.pt", LoadOptions(allow_code=True))


@pytest.mark.parametrize("entry", [None, "state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("zipped", [True, False])
def test_state_dict(nets: Any, tmp_path: Path, entry: str | None, *, zipped: bool) -> None:
    net = nets.Net().eval()
    state = net.state_dict()
    path = tmp_path / "s.pt"
    torch.save({entry: state, "epoch": 3} if entry else state, path, _use_new_zipfile_serialization=zipped)
    options = given("x:float32[2,7]", "scale:float32[3]", model=f"{HERE / 'torch_models.py'}:Net")
    loaded = load(path, options)
    assert loaded.kind == "state dict"
    agree(loaded)
    x = torch.rand(2, 7)
    assert loaded.reference is not None
    got = loaded.reference({"x": x.numpy(), "scale": np.ones(3, np.float32)})
    np.testing.assert_allclose(next(iter(got.values())), net(x, torch.ones(3))["y"].detach(), rtol=1e-6, atol=1e-7)


def test_state_dict_with_a_prefix(nets: Any, tmp_path: Path) -> None:
    torch.save({f"module.{k}": v for k, v in nets.Net().state_dict().items()}, tmp_path / "s.pt")
    loaded = load(tmp_path / "s.pt", given("float32[2,7]", "float32[3]", model="torch_models:Net"))
    assert any("prefix 'module.'" in note for note in loaded.notes)


def test_state_dict_that_does_not_fit(nets: Any, tmp_path: Path) -> None:
    path = tmp_path / "s.pt"
    torch.save({"linear.weight": torch.zeros(3, 8), "other": torch.zeros(1)}, path)
    with pytest.raises(BadModel, match=r"architecture is missing[\s\S]*--model"):
        load(path)
    with pytest.raises(
        BadModel, match=r"missing: linear.bias[\s\S]*unexpected: other[\s\S]*wrong shape: linear.weight"
    ):
        load(path, LoadOptions(model="torch_models:Net"))
    torch.save({"a": 1, "b": "text"}, path)
    with pytest.raises(BadModel, match="neither a module nor a state dict, but a dict of a, b"):
        load(path)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("nonsense", "cannot read --model"),
        ("no_such_package.x:f", "cannot be imported"),
        ("nowhere.py:f", "no such file"),
        ("{tmp}/f.py:g", r"has no g[\s\S]*make"),
        ("{tmp}/f.py:fails", r"fails\(\) failed[\s\S]*ValueError: no luck"),
        ("{tmp}/f.py:number", "gave a int"),
        ("{tmp}/exits.py:f", "SystemExit"),
        ("{tmp}/syntax.py:f", "SyntaxError"),
    ],
)
def test_factories_that_fail(tmp_path: Path, spec: str, says: str) -> None:
    (tmp_path / "f.py").write_text(
        "def make(): pass\ndef fails(): raise ValueError('no luck')\ndef number(): print('chatter'); return 3\n"
    )
    (tmp_path / "exits.py").write_text("import sys; sys.exit(3)")
    (tmp_path / "syntax.py").write_text("def (")
    torch.save({"w": torch.zeros(1)}, tmp_path / "s.pt")
    with pytest.raises(BadModel, match=says):
        load(tmp_path / "s.pt", LoadOptions(model=spec.format(tmp=tmp_path)))


def test_damaged_legacy_file(tmp_path: Path) -> None:
    path = tmp_path / "s.pt"
    torch.save({"w": torch.zeros(100)}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(LoadError, match="cannot be loaded"):
        load(path)


def test_a_finished_module_as_factory(tmp_path: Path) -> None:
    (tmp_path / "ready.py").write_text("import torch\nnet = torch.nn.Linear(2, 1)\n")
    torch.save(torch.nn.Linear(2, 1).state_dict(), tmp_path / "s.pt")
    agree(load(tmp_path / "s.pt", given("float32[1,2]", model=f"{tmp_path}/ready.py:net")))


# --- modules in memory -----------------------------------------------------------------------------------------------


def test_module_with_symbols(nets: Any, shapes_of: Shapes) -> None:
    net = nets.Net()
    loaded = load(net, given("x:float32[batch,7]", "scale:float32[3]"))
    assert loaded.exporter == DYNAMO
    assert loaded.name == "Net"
    assert loaded.examples == ()
    assert shapes_of(loaded.model) == {"x": ["batch", 7], "scale": [3]}
    assert list(shapes_of(loaded.model, "output").values()) == [["batch", 3], ["batch", 3], ["batch"]]
    assert net.training
    assert net.drop.training
    agree(loaded, {"batch": 2})
    agree(loaded, {"batch": 11})


def test_example_with_names_and_symbols(nets: Any, shapes_of: Shapes) -> None:
    options = given("x:float32[N,7]", example=(torch.rand(4, 7), np.ones(3, np.float32)))
    loaded = load(nets.Net(), options)
    assert shapes_of(loaded.model) == {"x": ["N", 7], "scale": [3]}
    np.testing.assert_array_equal(loaded.examples[0]["scale"], np.ones(3))
    agree(loaded, {"N": 3})
    with pytest.raises(BadInput, match=r"axis 1 of the input x has the size 7 in the example, not 8"):
        load(nets.Net(), given("x:float32[N,8]", example=(torch.rand(4, 7), torch.ones(3))))


def test_nested_arguments_and_outputs(nets: Any) -> None:
    example = ([torch.rand(2), torch.rand(2)], {"b": torch.rand(2), "a": torch.rand(2)}, 3.0)
    loaded = load(nets.Nested(), LoadOptions(example=example))
    assert set(loaded.examples[0]) == {"xs_0", "xs_1", "d_b", "d_a"}
    agree(loaded)


def test_one_tensor_twice_is_two_inputs() -> None:
    class Sub(torch.nn.Module):
        def forward(self, a: Any, b: Any) -> Any:
            return a - b, a

    x = torch.rand(3)
    agree(load(Sub(), LoadOptions(example=(x, x))))


def test_in_place_does_not_reach_the_caller(nets: Any) -> None:
    x = torch.zeros(2)
    loaded = load(nets.InPlace(), LoadOptions(example=(x,)))
    assert float(x.sum()) == 0
    agree(loaded)


def test_optional_argument_is_passed_by_name(nets: Any, shapes_of: Shapes) -> None:
    loaded = load(nets.Optional(), given("x:float32[2,3]", "mask:float32[2,3]"))
    assert list(shapes_of(loaded.model)) == ["x", "mask"]
    agree(loaded)


def test_names_of_the_user(nets: Any, shapes_of: Shapes) -> None:
    loaded = load(nets.Net(), given("tracks:float32[2,7]", "weights:float32[3]"))
    assert list(shapes_of(loaded.model)) == ["tracks", "weights"]
    assert any("tracks for x" in note for note in loaded.notes)
    agree(loaded)


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ((), r"--input 'x:float32\[1,3\]' --input 'scale"),
        (("x:float32[2,7]",), "required argument scale is not given"),
        (("x:float32[2,7]", "scal:float32[3]"), r"no input scal[\s\S]*did you mean scale"),
        (("float32[2,7]", "float32[3]", "float32[3]"), "one input too many"),
        (("x:float32[2,8]", "scale:float32[3]"), r"does not run on these inputs[\s\S]*shapes cannot be multiplied"),
        (("x:float32[0,7]", "scale:float32[3]"), "size 0"),
    ],
)
def test_inputs_that_do_not_fit(nets: Any, texts: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        load(nets.Net(), given(*texts))


def test_dtypes_are_left_as_exported() -> None:
    for dtype in ("float16", "float64", "bfloat16"):
        loaded = load(torch.nn.Linear(3, 2).to(getattr(torch, dtype)), given(f"{dtype}[1,3]"))
        assert loaded.reference is not None
        import ml_dtypes

        kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
        (got,) = loaded.reference({"input": np.ones((1, 3), kind)}).values()
        assert got.dtype == kind


def test_complex_output_is_refused() -> None:
    class Complex(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.complex(x, x)

    with pytest.raises(BadModel, match="output has the dtype complex64"):
        load(Complex(), given("float32[2]"))


def test_reference_refuses_wrong_names(nets: Any) -> None:
    reference = load(nets.InPlace(), given("float32[2]")).reference
    assert reference is not None
    assert reference.name.startswith("torch ")
    with pytest.raises(BadSamples, match="inputs are x; given are y"):
        reference({"y": np.zeros(2, np.float32)})


# --- exporters -------------------------------------------------------------------------------------------------------


def test_fallback_to_the_torchscript_exporter(nets: Any, shapes_of: Shapes) -> None:
    loaded = load(nets.Branch(), given("x:float32[N,3]"))
    assert loaded.exporter == SCRIPT
    notes = "\n".join(loaded.notes)
    assert "the dynamo exporter failed" in notes
    assert "data-dependent" in notes
    assert "torch_models.py:" in notes
    assert "follows the example's values only" in notes
    assert shapes_of(loaded.model) == {"x": ["N", 3]}
    agree(loaded, {"N": 5})


def test_a_size_that_only_one_value_fits() -> None:
    class Fixed(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x.reshape(4, 7) + 1

    with pytest.raises(BadInput, match="one size only"):
        load(Fixed(), given("x:float32[N,7]"))
    agree(load(Fixed(), given("x:float32[4,7]")))


def test_both_exporters_fail(nets: Any) -> None:
    with pytest.raises(ExportFailed, match="linalg_eig") as caught:
        load(nets.Hopeless(), given("float32[3,3]"))
    assert len(caught.value.findings) == 2
    assert "torch_models.py:" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_program_that_cannot_be_exported(nets: Any) -> None:
    ep = torch.export.export(nets.Hopeless(), (torch.rand(3, 3),))
    with pytest.raises(ExportFailed, match=r"torch_models.py:"):
        load(ep)


def test_attention_in_its_plain_form(nets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # "Cannot view a tensor" comes and goes with torch's versions: the first answer is made up here.
    real, calls = torch.onnx.export, []

    def export(*args: Any, **kwargs: Any) -> Any:
        calls.append(torch._C._get_flash_sdp_enabled())
        if len(calls) == 1:
            raise RuntimeError("Cannot view a tensor with shape [2] and strides (3,)")
        return real(*args, **kwargs)

    monkeypatch.setattr(torch.onnx, "export", export)
    loaded = load(nets.InPlace(), given("float32[2]"))
    assert calls == [True, False]
    assert loaded.exporter == DYNAMO
    assert any("plain form" in note for note in loaded.notes)


def test_keyboard_interrupt_passes(nets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def export(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.onnx, "export", export)
    with pytest.raises(KeyboardInterrupt):
        load(nets.InPlace(), given("float32[2]"))


def test_nothing_is_said(nets: Any, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    class Loud(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            print("from Python")
            torch._C._log_api_usage_once("from C++")
            return torch.ops.aten._print("from the dispatcher") or x + 1

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for net in (nets.Net(), nets.Branch()):
            texts = ("float32[2,7]", "float32[3]") if isinstance(net, nets.Net) else ("float32[2]",)
            load(net, given(*texts))
        with pytest.raises(ExportFailed):
            load(nets.Hopeless(), given("float32[3,3]"))
    load(Loud(), given("float32[3,3]"))
    said = capfd.readouterr()
    assert (said.out, said.err, caplog.records) == ("", "", [])
    assert logging.root.manager.disable == logging.NOTSET


def test_verbose_lets_it_through(nets: Any, capfd: pytest.CaptureFixture[str]) -> None:
    load(nets.InPlace(), given("float32[2]", verbose=True))
    assert "torch.onnx" in capfd.readouterr().out


def test_torch_is_missing(nets: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({}, tmp_path / "m.pt")
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else real(name, *rest))
    with pytest.raises(MissingPackage, match=r"\[torch\]"):
        load(tmp_path / "m.pt")


def gives_up(*given: Any, **_: Any) -> None:
    """The dynamo exporter on a bad day."""
    given[1].append(Failure(DYNAMO, "it is not asked", "", "", ""))


@pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "TorchScript"])
def test_the_azimuth_of_nothing_is_a_number(monkeypatch: pytest.MonkeyPatch, *, dynamo: bool) -> None:
    """Both exporters' own atan2 divides 0 by 0: padded particles, all zeros, would make NaN of the whole event."""
    if not dynamo:
        monkeypatch.setattr("converters.torch_export._try_dynamo", gives_up)

    class Azimuth(torch.nn.Module):
        def forward(self, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
            return torch.atan2(y, x)

    values = torch.tensor([0.0, -0.0, 1.0, -1.0, 2.5, -2.5])
    y, x = (t.reshape(-1) for t in torch.meshgrid(values, values, indexing="ij"))
    loaded = load(Azimuth(), given("y:float32[36]", "x:float32[36]"))
    assert ("dynamo" in loaded.exporter) == dynamo
    session = onnxruntime.InferenceSession(loaded.model.SerializeToString())
    (got,) = session.run(None, {"y": y.numpy(), "x": x.numpy()})
    np.testing.assert_allclose(got, torch.atan2(y, x).numpy(), rtol=1e-6)
