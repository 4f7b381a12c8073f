"""weaver-core's ParticleNet on jets of any number of particles, as a column of RDataFrame, against PyTorch itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_root import in_root, needs_root

import sofie_bridge.arrays
from convert import convert

torch = pytest.importorskip("torch", reason="the model is torch's")
weaver = pytest.importorskip("weaver.nn.model.ParticleNet", reason="weaver-core is not installed: tox -e root does")

pytestmark = [needs_root, pytest.mark.sweep]

JETS, NEIGHBOURS, CUT = 120, 7, 20
POINTS, FEATURES = ("eta", "phi"), ("pt", "e", "d0", "dz", "charge", "eta", "phi")


def net() -> Any:
    torch.manual_seed(1)
    made = weaver.ParticleNet(
        input_dims=len(FEATURES),
        num_classes=3,
        conv_params=[(NEIGHBOURS, (32, 32, 32)), (NEIGHBOURS, (64, 64, 64))],
        fc_params=[(128, 0.1)],
        use_fusion=True,
        for_inference=True,
    )
    with torch.no_grad():  # as after training: fresh statistics are zeros and ones
        for name, value in made.named_buffers():
            if name.endswith("running_var"):
                value.uniform_(0.2, 0.5)
            elif name.endswith("running_mean"):
                value.normal_(0, 0.1)
    return made.eval()


def expected(model: Any, jets: dict[str, list[np.ndarray[Any, Any]]], size: int | None) -> np.ndarray[Any, Any]:
    """PyTorch on each jet by itself, padded or cut to ``size``, or to the neighbours that the model looks for."""
    found = []
    for k in range(JETS):
        count = len(jets["eta"][k])
        length = size or max(count, NEIGHBOURS + 1)

        def rows(names: tuple[str, ...], k: int = k, length: int = length) -> Any:
            padded = [np.pad(jets[n][k][:length], (0, max(0, length - len(jets[n][k])))) for n in names]
            return torch.from_numpy(np.stack(padded)[None])

        mask = torch.from_numpy((np.arange(length) < count).astype(np.float32)[None, None])
        with torch.no_grad():
            found.append(model(rows(POINTS), rows(FEATURES), mask).numpy()[0])
    return np.stack(found)


@pytest.mark.parametrize("size", [None, CUT], ids=["as many particles as there are", "padded or cut to 20"])
def test_jagged_jets(tmp_path: Path, size: int | None) -> None:
    random = np.random.default_rng(2)
    counts = random.integers(0, 35, JETS)
    columns = dict.fromkeys((*POINTS, *FEATURES))
    jets = {n: [random.standard_normal(c).astype(np.float32) for c in counts] for n in columns}
    shapes = [("points", len(POINTS)), ("features", len(FEATURES)), ("mask", 1)]
    inputs = [f"{n}:float32[{'1' if size else 'N'},{c},{size or 'P'}]" for n, c in shapes]
    model = net()
    given = {n: random.standard_normal((1, c, CUT)).astype(np.float32) for n, c in shapes}
    given["mask"] = (np.arange(CUT) < CUT - 2).astype(np.float32)[None, None]
    convert(model, inputs=inputs, samples=given, output=tmp_path / "net.hxx")
    wanted = expected(model, jets, size)
    assert wanted.std(axis=0).min() > 1e-3, "the scores differ"

    by_input = {"points": POINTS, "features": FEATURES}
    found = sofie_bridge.arrays.call(tmp_path / "net.hxx", jets, by_input)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)

    flat: dict[str, Any] = {n: np.concatenate(v) for n, v in jets.items()}
    np.savez(tmp_path / "jets.npz", counts=counts, **flat)
    told = in_root(
        f"""
stored = np.load("jets.npz")
ends = np.cumsum(stored["counts"])
ROOT.EnableImplicitMT(2)
df = ROOT.RDataFrame({JETS}).Define("event", "rdfentry_")
kept = {{n: ROOT.std.vector["float"](stored[n].tolist()) for n in {list(columns)}}}
kept["ends"] = ROOT.std.vector["long"](ends.tolist())
for name in {list(columns)}:
    data, last = (f"(*reinterpret_cast<std::vector<{{t}}> *>({{ROOT.addressof(kept[n])}}ul))" for n, t in ((name, "float"), ("ends", "long")))
    df = df.Define(name, f"ROOT::RVec<float>(&{{data}}[0] + (rdfentry_ ? {{last}}[rdfentry_ - 1] : 0), &{{data}}[0] + {{last}}[rdfentry_])")
more = {{}} if {size is not None} else {{"batch": 16, "key": ["event"]}}
columns = {by_input}
plain = rdf.define(df, ["a", "b", "c"], "net.hxx", columns)
tell("plain", np.stack(in_order(plain, "a", "b", "c"), axis=1))
batched = rdf.define(df, "score", "net.hxx", columns, through="cling", **more)
tell("batched", np.stack(in_order(batched, "score"))[0])
""",
        tmp_path,
    )
    np.testing.assert_allclose(told["plain"], wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(told["batched"], wanted, rtol=1e-4, atol=1e-5)
