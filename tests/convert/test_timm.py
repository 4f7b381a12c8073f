"""Families of image networks from timm, with random weights: the header gives torch's own numbers.

timm is no dependency, nor is torchvision, which it imports: ``tox -e sweep`` installs both.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sofie_bridge
from convert import convert

torch = pytest.importorskip("torch", reason="the models are torch's")
for _package in ("timm", "torchvision"):
    if find_spec(_package) is None:
        pytest.skip(f"{_package} is not installed: tox -e sweep does", allow_module_level=True)

pytestmark = pytest.mark.sweep
TOLERANCE = 1e-3
CLASSES = 10
#: Standard deviation of the outputs over the images.
SPREAD = 0.5
#: Share of the mean that a batch normalisation takes away.
KEPT = 0.05


@dataclass(frozen=True)
class Net:
    """A network in small: ``options`` are timm's own, for fewer layers or narrower ones.

    :param sized: it is built for one size of images, and takes ``img_size``.
    """

    name: str
    size: int = 64
    sized: bool = False
    options: tuple[tuple[str, Any], ...] = ()


def small(name: str, size: int = 64, *, sized: bool = False, **options: Any) -> Net:
    return Net(name, size, sized, tuple(options.items()))


#: One of each family.
NETS = [
    small("resnet18"),
    small("resnext26ts"),
    small("efficientnet_b0"),
    small("mobilenetv3_small_050"),
    small("mobilenetv4_conv_small_035"),
    small("mnasnet_small"),
    small("lcnet_035"),
    small("convnext_atto"),
    small("convnextv2_atto"),
    small("vit_tiny_patch16_224", sized=True, depth=4),
    small("deit_tiny_distilled_patch16_224", sized=True, depth=4),
    small("swin_tiny_patch4_window7_224", sized=True, embed_dim=24, depths=(2, 2, 2, 2), num_heads=(1, 2, 4, 8)),
    small("mixer_s32_224", sized=True),
    small("resmlp_12_224", sized=True),
    small("gmlp_ti16_224", sized=True),
    small("regnety_002"),
    small("densenet121", 32),
    small("ghostnet_050"),
    small("repvgg_a0"),
    small("levit_128s", sized=True),
    small("edgenext_xx_small"),
    small("xcit_nano_12_p16_224", sized=True, depth=4),
    small("cait_xxs24_224", sized=True, depth=4),
    small("coat_lite_tiny", sized=True),
    small("pit_ti_224", sized=True),
    small("hgnetv2_b0"),
    small("fastvit_t8"),
    small("mobileone_s0"),
    small("test_nfnet"),
    small("dla46_c"),
    small("skresnet18"),
    small("starnet_s050"),
]


def timm() -> Any:
    """timm; torchvision's build for other processors imports where the operators that it describes are declared."""
    if not hasattr(torch.ops.torchvision, "nms"):
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        torch.ops.torchvision.library_kept = library  # an operator is gone with the library that declared it
    import timm as package

    return package


def images(size: int, count: int = 3) -> Any:
    """Noise on squares of other brightness."""
    generator = np.random.default_rng(7)
    coarse = np.kron(generator.standard_normal((count, 3, 4, 4)), np.ones((1, 1, size // 4, size // 4)))
    return torch.from_numpy((coarse + 0.3 * generator.standard_normal(coarse.shape)).astype(np.float32))


def built(net: Net) -> Any:
    """The model with statistics as after training, scales and biases that are not trivial, outputs that tell images apart."""
    torch.manual_seed(5)
    options = dict(net.options) | ({"img_size": net.size} if net.sized else {})
    model = timm().create_model(net.name, num_classes=CLASSES, **options).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.ndim < 2:
                is_bias = name.endswith("bias") or "beta" in name
                value.copy_(0.05 * torch.randn_like(value) if is_bias else 0.5 + 0.5 * torch.rand_like(value))
            elif not value.any() or value.std() < 1e-4:  # layers that a training starts at zero
                value.normal_(0, value[0].numel() ** -0.5)
        norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
        for norm in norms:
            norm.train().momentum = 1.0
        model(images(net.size))
        for norm in norms:
            norm.eval()
            # Normalised wholly, random nets are chaotic: rounding grows from layer to layer.
            norm.running_var += ((1 - KEPT) * norm.running_mean) ** 2
            norm.running_mean *= KEPT
        outputs = model(images(net.size))
        spread = (outputs - outputs.mean(0)).std()
        heads = model.get_classifier()
        for head in heads if isinstance(heads, tuple) else (heads,):
            for part in head.modules():
                if getattr(part, "weight", None) is not None and part.weight.shape[0] == CLASSES:
                    part.weight *= SPREAD / spread
    return model


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.name)
def test_to_a_header(net: Net, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    model, given = built(net), images(net.size)
    with torch.no_grad():
        answers = model(given)
    spread = float((answers - answers.mean(0)).std())
    assert 0.5 < spread / SPREAD < 2, "the outputs are to depend on the image"
    report = convert(
        model,
        output=tmp_path / f"{net.name}.hxx",
        inputs=[f"x:float32[1,3,{net.size},{net.size}]"],
        samples={"x": given[:1].numpy()},
        weights="safetensors",
        rtol=TOLERANCE,
        atol=TOLERANCE,
    )
    assert report.verified
    assert report.verification is not None
    assert "header vs framework" in {m.edge for m in report.verification.measured}
    with sofie_bridge.load(tmp_path / f"{net.name}.hxx") as header:
        for image, answer in zip(given, answers, strict=True):
            (found,) = header(image[None].numpy()).values()
            np.testing.assert_allclose(found[0], answer, rtol=TOLERANCE, atol=TOLERANCE)
    errors = {m.edge: (m.absolute, m.relative) for m in report.verification.measured}
    request.node.user_properties.append(("errors", errors))
