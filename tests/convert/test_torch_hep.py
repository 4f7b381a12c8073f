"""Networks of high-energy physics, from PyTorch to a verified header that gives PyTorch's own numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from code_files import FIXTURES, module_of

import sofie_bridge
from convert import convert
from convert.spec import TensorSpec

torch = pytest.importorskip("torch", reason="PyTorch is not installed (the extra [torch])")

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Case:
    """A factory, its inputs, and the sizes to call the header with beside those of the verification.

    :param real: from the inputs, which are noise, to events: masks, positive energies, padding.
    """

    name: str
    inputs: str
    sizes: tuple[dict[str, int], ...] = ({"N": 4}, {"N": 1}, {"N": 5})
    marks: tuple[Any, ...] = field(default=(pytest.mark.slow,))


CASES = [
    Case("pfn", "features:float32[N,7,P] mask:float32[N,1,P]",
         ({"N": 2, "P": 12}, {"N": 1, "P": 1}, {"N": 3, "P": 5})),
    Case("deep_sets", "particles:float32[N,P,4] mask:float32[N,P]",
         ({"N": 2, "P": 12}, {"N": 1, "P": 1}, {"N": 1, "P": 0}, {"N": 3, "P": 5})),
    Case("gn2", "jet:float32[N,2] tracks:float32[N,T,19] padded:bool[N,T]",
         ({"N": 3, "T": 12}, {"N": 1, "T": 1}, {"N": 1, "T": 0}, {"N": 2, "T": 40})),
    Case("upart",
         "charged:float32[N,C,16] lost:float32[N,L,18] neutral:float32[N,U,8] vertices:float32[N,V,14] "
         "charged_p4:float32[N,C,4] lost_p4:float32[N,L,4] neutral_p4:float32[N,U,4] vertices_p4:float32[N,V,4]",
         ({"N": 2, "C": 8, "L": 3, "U": 5, "V": 2}, {"N": 1, "C": 1, "L": 0, "U": 1, "V": 0},
          {"N": 3, "C": 2, "L": 5, "U": 2, "V": 4})),
    Case("calo_dit", "shower:float32[N,1,6,8,9] time:float32[N] condition:float32[N,4]"),
    Case("real_nvp", "x:float32[N,6] condition:float32[N,2]"),
    Case("real_nvp_sampler", "x:float32[N,6] condition:float32[N,2]"),
    Case("vae", "shower:float32[N,368] energy:float32[N,1] noise:float32[N,16]"),
    Case("vae_decoder", "code:float32[N,16] energy:float32[N,1]"),
    Case("gan2d", "noise:float32[N,20] energy:float32[N,1]"),
    Case("gan3d", "noise:float32[N,20] energy:float32[N,1]"),
]  # fmt: skip

#: Kind, layers, bidirectional, batch first, state given: of the last two every pair turns up with every kind; the sweep
#: runs all.
RECURRENT = [
    pytest.param(
        kind, layers, bidirectional, batch_first, given,
        id="-".join([kind, str(layers), *["both ways"] * bidirectional, *["batch first"] * batch_first, *["given"] * given]),
        marks=[pytest.mark.slow if (batch_first, given) == chosen else pytest.mark.sweep],
    )
    for kind in ("LSTM", "GRU", "RNN")
    for (layers, bidirectional), chosen in zip(
        product((1, 3), (False, True)), product((False, True), (False, True)), strict=True
    )
    for batch_first, given in product((False, True), (False, True))
]  # fmt: skip


def events(specs: list[TensorSpec], sizes: dict[str, int], seed: int) -> dict[str, np.ndarray[Any, Any]]:
    """Events as detectors give them: energies above 0, four-vectors of positive mass, padding behind the last particle."""
    generator = np.random.default_rng(seed)
    given: dict[str, np.ndarray[Any, Any]] = {}
    for spec in specs:
        shape = [sizes[d] if isinstance(d, str) else d for d in spec.shape]
        values: Any = generator.standard_normal([int(d or 0) for d in shape]).astype(np.float32)
        if spec.name in ("energy", "shower"):
            values = np.abs(values) + 0.1
        elif spec.name.endswith("_p4"):
            values[..., 3] = np.sqrt((values[..., :3] ** 2).sum(-1)) + 0.1 + np.abs(values[..., 3])
            values[1:, -1:] = 0  # all but the first event
        elif spec.name in ("mask", "padded"):
            real = np.ones(values.shape, bool)
            real[1:, ..., -2:] = False
            values = ~real if spec.dtype == "bool" else real.astype(np.float32)
        given[spec.name] = values
    return given


def torch_answers(model: Any, given: dict[str, np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    with torch.no_grad():
        answers = model(*(torch.from_numpy(v) for v in given.values()))
    return [a.numpy() for a in (answers if isinstance(answers, tuple) else (answers,))]


def check(model: Any, specs: list[TensorSpec], sizes: tuple[dict[str, int], ...], header: Path) -> Any:
    """Convert, and hold the header to torch at every one of the sizes, in one session."""
    first = events(specs, sizes[0], 0)
    assert all(a.std() > 1e-2 for a in torch_answers(model, first)), "the answers depend on the event"
    report = convert(model, inputs=specs, samples=first, output=header, rtol=TOLERANCE, atol=TOLERANCE)
    assert report.verified
    assert report.verification is not None
    assert "user" in report.verification.samples
    assert "header vs framework" in {m.edge for m in report.verification.measured}
    open_sizes = {d for spec in specs for d in spec.symbols}
    kept = {d for port in report.inputs for d in port.shape if isinstance(d, str)}  # T, a type's name there, is dim_T
    assert {d.removeprefix("dim_") for d in kept} == open_sizes
    with sofie_bridge.load(header) as loaded:
        for seed, size in enumerate(sizes):
            given = events(specs, size, seed)
            found = list(loaded(**given).values())
            for ours, theirs in zip(found, torch_answers(model, given), strict=True):
                assert ours.shape == theirs.shape
                np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE, err_msg=str(size))
    return report


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name, marks=c.marks) for c in CASES])
def test_gives_torchs_numbers(case: Case, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    model = getattr(module_of(FIXTURES / "torch_hep.py"), case.name)()
    specs = [TensorSpec.parse(text) for text in case.inputs.split()]
    report = check(model, specs, case.sizes, tmp_path / f"{case.name}.hxx")
    request.node.user_properties.append(("errors", {m.edge: m.absolute for m in report.verification.measured}))


@pytest.mark.parametrize(("kind", "layers", "bidirectional", "batch_first", "given"), RECURRENT)
def test_recurrent(
    kind: str, layers: int, *, bidirectional: bool, batch_first: bool, given: bool, tmp_path: Path
) -> None:
    rows = layers * (2 if bidirectional else 1)
    states = [f"{name}:float32[{rows},N,6]" for name in ("h", "c")][: (2 if kind == "LSTM" else 1) if given else 0]
    specs = [TensorSpec.parse(t) for t in (f"x:float32[{'N,4' if batch_first else '4,N'},5]", *states)]
    module = module_of(FIXTURES / "torch_hep.py")
    made = module.seeded(
        lambda: module.Recurrent(kind, layers=layers, bidirectional=bidirectional, batch_first=batch_first)
    )
    check(made(), specs, ({"N": 3}, {"N": 1}, {"N": 5}), tmp_path / "cells.hxx")
