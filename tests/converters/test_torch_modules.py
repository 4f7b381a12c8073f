"""PyTorch: what a module may be made of, and how it may be wrapped."""

from __future__ import annotations

import importlib
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from convert.errors import BadModel, UnsafeFile
from convert.spec import TensorSpec
from converters import Loaded, LoadOptions, load

pytest.importorskip("torch")
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

HERE = Path(__file__).parent


def loaded(module: Any, *texts: str, **options: Any) -> Loaded:
    specs = tuple(TensorSpec.parse(text) for text in texts or ("float32[N,4]",))
    return load(module, LoadOptions(inputs=specs, **options))


def agrees(found: Loaded, atol: float = 1e-6) -> None:
    session = onnxruntime.InferenceSession(found.model.SerializeToString())
    (value,) = session.get_inputs()
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    assert found.reference is not None
    for _ in range(2):  # the reference moves nothing
        (expected,) = found.reference({value.name: x}).values()
        np.testing.assert_allclose(session.run(None, {value.name: x})[0], expected, rtol=1e-5, atol=atol)


def old_style(norm: Callable[..., nn.Module]) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return norm(nn.Linear(4, 4))


def pruned() -> nn.Module:
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    prune.l1_unstructured(module[0], "weight", 0.5)  # type: ignore[no-untyped-call]
    return module


class Scaled(nn.Module):
    """A buffer, a constant that is none, one layer twice, a weight that two layers have."""

    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.rand(4))
        self.width = torch.rand(4) + 1
        self.linear, self.tied = nn.Linear(4, 4), nn.Linear(4, 4)
        self.tied.weight = self.linear.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.tied(self.linear(self.linear((x - self.mean) / self.width)))
        return out


class Cond(nn.Module):
    def __init__(self, predicate: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.predicate = predicate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = torch.cond(self.predicate(x), lambda t: t.sin(), lambda t: t.cos(), (x,))
        return out


class Mapped(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = torch.vmap(lambda row: row.softmax(-1) * row.norm())(x)
        return out


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool(x.sum() > 0):
            return x * 2
        return x - 1


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    "make",
    [
        lambda: parametrizations.weight_norm(nn.Linear(4, 4)),
        lambda: old_style(nn.utils.weight_norm),
        lambda: parametrizations.spectral_norm(nn.Linear(4, 4)),
        lambda: old_style(nn.utils.spectral_norm),
        pruned,
        Scaled,
        lambda: nn.Sequential(nn.Linear(4, 4), torch.jit.script(Branching())),
        lambda: nn.Sequential(nn.Linear(4, 4), torch.jit.trace(nn.Tanh(), torch.ones(2, 4))),  # type: ignore[no-untyped-call]
        lambda: Cond(lambda x: True),
        lambda: Cond(lambda x: x.shape[1] > 5),
        Mapped,
    ],
    ids=["weight_norm", "old weight_norm", "spectral_norm", "old spectral_norm", "pruned", "buffers and shared weights",
         "scripted inside", "traced inside", "cond", "cond of a size", "vmap"],
)  # fmt: skip
def test_made_of(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    agrees(loaded(make()), 1e-5)


def test_a_condition_that_is_known_leaves_no_branch() -> None:
    assert [n.op_type for n in loaded(Cond(lambda x: x.shape[1] > 5)).model.graph.node] == ["Cos"]


def test_training_mode_is_left_and_said() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    module(torch.rand(32, 4))
    found = loaded(module.train())
    assert any("training mode" in note for note in found.notes)
    agrees(found)
    assert module.training


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wrappers_come_off() -> None:
    for wrapped, kind in (
        (nn.DataParallel(nn.Linear(4, 3)), "DataParallel"),
        (torch.compile(nn.Linear(4, 3), backend="eager"), "compile"),
    ):
        found = loaded(wrapped)
        assert found.name == "Linear"
        assert found.model.graph.input[0].name == "input"
        assert any(f"{kind}; it is taken without" in note for note in found.notes)
        agrees(found)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_weights_of_another_dtype_run_in_float32(dtype: str) -> None:
    module = nn.Linear(4, 3).to(getattr(torch, dtype))
    found = loaded(module)
    assert any(f"the weights are {dtype} and run in float32" in note for note in found.notes)
    assert module.weight.dtype == getattr(torch, dtype)
    agrees(found)


# --- quantisation ----------------------------------------------------------------------------------------------------


def quantization() -> Any:
    """Deprecated, and about; without annotations."""
    return importlib.import_module("torch.ao.quantization")


@pytest.fixture
def prepared() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # all of it is deprecated, and about
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).train()
        module.qconfig = quantization().get_default_qat_qconfig("fbgemm")
        module = quantization().prepare_qat(module)
        module(torch.randn(32, 4))
    return module


def test_fake_quantised_models_are_the_arithmetic_that_they_are(prepared: Any) -> None:
    state = {name: values.clone() for name, values in prepared.state_dict().items()}
    found = loaded(prepared)
    assert {"Round", "Clip"} <= {n.op_type for n in found.model.graph.node}
    assert any("FakeQuantize modules (4)" in note for note in found.notes)
    assert any("observers of 4" in note for note in found.notes)
    agrees(found)
    for name, values in prepared.state_dict().items():
        assert torch.equal(values, state[name]), name


def test_fake_quantisation_by_hand() -> None:
    class Rounded(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scales, zeros = torch.tensor([0.1, 0.2, 0.3, 0.4]), torch.tensor([0, 1, 2, 3], dtype=torch.int32)
            y = torch.fake_quantize_per_channel_affine(x, scales, zeros, 1, -8, 7)
            return torch.fake_quantize_per_tensor_affine(y, 0.25, 1, -8, 7)

    agrees(loaded(Rounded()))


@pytest.mark.filterwarnings("ignore:.*deprecated:UserWarning", "ignore::DeprecationWarning")
def test_quantised_layers_are_refused_by_name(prepared: Any, tmp_path: Path) -> None:
    converted = quantization().convert(prepared.eval())
    with pytest.raises(BadModel, match=r"before torch.ao.quantization[\s\S]*2 is a torch.ao.nn.quantized"):
        loaded(converted)
    torch.jit.save(torch.jit.script(converted), tmp_path / "q.pt")
    with pytest.raises(BadModel, match=r"0 is a quantised Linear of a TorchScript archive"):
        loaded(tmp_path / "q.pt")
    dynamic = quantization().quantize_dynamic(nn.Sequential(nn.Linear(4, 3)), {nn.Linear}, dtype=torch.qint8)
    with pytest.raises(BadModel, match=r"0 is a torch.ao.nn.quantized.dynamic"):
        loaded(dynamic)


# --- Lightning's checkpoints -----------------------------------------------------------------------------------------

NETWORK = """
import torch

def net(width, depth=1):
    return torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Linear(width, 3))

class Configured(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.net = net(config["width"])

    def forward(self, x):
        return self.net(x)

def anything(**given):
    return net(given["width"])

def fixed():
    return net(16)
"""


def checkpoint(folder: Path, **changes: Any) -> Path:
    """As ``Trainer.save_checkpoint`` of Lightning 2.6 writes it, of a module that holds the network as ``net``."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    state = {f"net.{name}": values for name, values in network.state_dict().items()}
    held = {
        "epoch": 1, "global_step": 4, "pytorch-lightning_version": "2.6.6", "state_dict": state,
        "loops": {"fit_loop": {"state_dict": {}}}, "callbacks": {}, "optimizer_states": [], "lr_schedulers": [],
        "hparams_name": "kwargs", "hyper_parameters": {"width": 16, "layers": 1},
    }  # fmt: skip
    (folder / "networks.py").write_text(NETWORK)
    torch.save({**held, **changes}, folder / "m.ckpt")
    return folder / "m.ckpt"


@pytest.mark.parametrize(
    ("factory", "changes", "says"),
    [
        ("net", {}, "width=16"),
        ("anything", {}, "width=16, layers=1"),
        ("Configured", {"hparams_name": "config"}, "config={'width': 16, 'layers': 1}"),
    ],
)
def test_lightning(tmp_path: Path, factory: str, changes: dict[str, Any], says: str) -> None:
    path = checkpoint(tmp_path, **changes)
    found = loaded(path, model=f"{tmp_path}/networks.py:{factory}")
    assert found.kind == "state dict"
    assert any(note.endswith(f"hyper-parameters: {says}") for note in found.notes)
    assert any("prefix 'net.'" in note for note in found.notes) == (factory != "Configured")
    agrees(found)


def test_lightning_with_a_loss_that_has_weights(tmp_path: Path) -> None:
    state = torch.load(checkpoint(tmp_path))["state_dict"]
    path = checkpoint(tmp_path, state_dict={**state, "loss.weight": torch.ones(3)})
    found = loaded(path, model=f"{tmp_path}/networks.py:net")
    assert any("left out: loss.weight" in note for note in found.notes)
    agrees(found)


def test_lightning_whose_hyper_parameters_are_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused; with --allow-code the parameters are read though the package is not there."""
    package: Any = types.ModuleType("package_that_is_gone")
    package.Config = type("Config", (dict,), {"__module__": "package_that_is_gone"})
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "package_that_is_gone", package)
        path = checkpoint(tmp_path, hyper_parameters=package.Config(width=16))
    with pytest.raises(UnsafeFile, match=r"package_that_is_gone.Config[\s\S]*--allow"):
        loaded(path, model=f"{tmp_path}/networks.py:fixed")
    agrees(loaded(path, model=f"{tmp_path}/networks.py:net", allow_code=True))  # what is a dict inside is read
    path = checkpoint(tmp_path, callbacks={"x": 1}, hyper_parameters={})
    with pytest.raises(BadModel, match="missing 1 required positional argument"):
        loaded(path, model=f"{tmp_path}/networks.py:net")
