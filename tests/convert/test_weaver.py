"""The taggers of weaver-core, random weights, as CMS and others train them: a module in memory to a verified header.

weaver-core is no dependency: ``tox -e sweep`` installs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sofie_bridge
from convert import convert

torch = pytest.importorskip("torch", reason="the models are torch's")
weaver = pytest.importorskip("weaver.nn.model.ParticleNet", reason="weaver-core is not installed: tox -e sweep does")

pytestmark = pytest.mark.sweep
PARTICLES = 20


def arrays(particles: int, *, padded: int = 2, **shapes: int) -> dict[str, np.ndarray[Any, Any]]:
    """Features, four-momenta of positive mass, and a mask that leaves the last particles out."""
    generator = np.random.default_rng(1)
    given = {n: generator.standard_normal((1, c, particles)).astype(np.float32) for n, c in shapes.items()}
    if "v" in given:
        given["v"][:, 3] = np.sqrt((given["v"][:, :3] ** 2).sum(1)) + 1
    given["mask"] = np.ones((1, 1, particles), np.float32)
    given["mask"][:, :, particles - padded :] = 0
    return given


def hold_to_torch(model: Any, header: Path, events: list[dict[str, np.ndarray[Any, Any]]]) -> None:
    """The header gives torch's numbers for every event, in one session."""
    with sofie_bridge.load(header) as loaded:
        for given in events:
            (found,) = loaded(**given).values()
            with torch.no_grad():
                expected = model(*(torch.from_numpy(v) for v in given.values())).numpy()
            assert expected.std() > 1e-3, "the scores differ"
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def net() -> Any:
    torch.manual_seed(1)
    made = weaver.ParticleNet(
        input_dims=7,
        num_classes=5,
        conv_params=[(7, (32, 32, 32)), (7, (64, 64, 64))],
        fc_params=[(128, 0.1)],
        use_fusion=True,
        for_inference=True,
    )
    with torch.no_grad():  # as after training: fresh statistics are zeros and ones, and give near equal scores
        for name, value in made.named_buffers():
            if name.endswith("running_var"):
                value.uniform_(0.2, 0.5)
            elif name.endswith("running_mean"):
                value.normal_(0, 0.1)
    return made.eval()


def transformer(*, small: bool) -> Any:
    from weaver.nn.model.ParticleTransformer import ParticleTransformer

    torch.manual_seed(1)
    size: dict[str, Any] = {} if not small else {
        "embed_dims": [32, 64, 32], "pair_embed_dims": [16, 16], "num_heads": 4, "num_layers": 2, "num_cls_layers": 1,
    }  # fmt: skip
    return ParticleTransformer(input_dim=7, num_classes=5, pair_input_dim=4, for_inference=True, **size).eval()


@pytest.mark.parametrize("particles", ["20", "P"])
def test_particle_net(tmp_path: Path, particles: str) -> None:
    inputs = [f"{n}:float32[1,{c},{particles}]" for n, c in (("points", 2), ("features", 7), ("mask", 1))]
    model, given = net(), arrays(PARTICLES, points=2, features=7)
    report = convert(model, inputs=inputs, samples=given, output=tmp_path)
    assert report.verified
    header = next(p for p in report.files if p.suffix == ".hxx")
    assert (particles in {d for port in report.inputs for d in port.shape}) == (particles == "P")
    counts = [(20, 0), (20, 20), (33, 5), (9, 0)] if particles == "P" else [(20, 0), (20, 20)]
    hold_to_torch(model, header, [given, *(arrays(n, padded=k, points=2, features=7) for n, k in counts)])


@pytest.mark.parametrize("small", [True, False], ids=["small", "as in the paper"])
def test_particle_transformer(tmp_path: Path, *, small: bool) -> None:
    """Of a fixed count: torch's exporters write the count that they trace with into its pairs of particles."""
    inputs = [f"{n}:float32[1,{c},{PARTICLES}]" for n, c in (("x", 7), ("v", 4), ("mask", 1))]
    model, given = transformer(small=small), arrays(PARTICLES, x=7, v=4)
    report = convert(model, inputs=inputs, samples=given, output=tmp_path)
    assert report.verified
    header = next(p for p in report.files if p.suffix == ".hxx")
    hold_to_torch(model, header, [given, *(arrays(PARTICLES, padded=k, x=7, v=4) for k in (0, 12, PARTICLES))])
