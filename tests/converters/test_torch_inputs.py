"""PyTorch: nests of inputs and outputs, their names, and open dimensions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import pytest

from convert.errors import BadInput, BadModel
from convert.spec import TensorSpec
from converters import Loaded, LoadOptions, load

pytest.importorskip("torch")
import torch
from torch.export import Dim


class Pair(NamedTuple):
    score: torch.Tensor
    mass: torch.Tensor


@dataclasses.dataclass
class Record:
    score: torch.Tensor
    mass: torch.Tensor


class Batch(torch.nn.Module):
    """Every kind of argument."""

    def forward(
        self,
        batch: dict[str, torch.Tensor],
        pair: tuple[torch.Tensor, torch.Tensor] | None = None,
        *,
        scale: float = 2.0,
        mask: torch.Tensor | None = None,
        record: Record | None = None,
    ) -> torch.Tensor:
        y = batch["x"] * batch["y"].sum() * scale
        y = y if pair is None else y + pair[0] - 2 * pair[1]
        y = y if mask is None else y * mask
        return y if record is None else y + record.score * record.mass


class Out(torch.nn.Module):
    def __init__(self, make: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.make = make

    def forward(self, x: torch.Tensor) -> Any:
        return self.make(x * 3)


def given(*texts: str, **options: Any) -> LoadOptions:
    return LoadOptions(inputs=tuple(TensorSpec.parse(text) for text in texts), **options)


def names(loaded: Loaded) -> tuple[list[str], list[str]]:
    return [v.name for v in loaded.model.graph.input], [v.name for v in loaded.model.graph.output]


def agrees(loaded: Loaded, n: int = 5) -> None:
    session = onnxruntime.InferenceSession(loaded.model.SerializeToString())
    rng = np.random.default_rng(0)
    arrays: Mapping[str, Any] = {
        v.name: rng.normal(size=[n if isinstance(d, str) else d for d in v.shape]).astype(np.float32)
        for v in session.get_inputs()
    }
    assert loaded.reference is not None
    expected = loaded.reference(arrays)
    for name, found in zip(names(loaded)[1], session.run(None, arrays), strict=True):
        np.testing.assert_allclose(found, expected[name], rtol=1e-5, atol=1e-6, strict=True)


# --- inputs ----------------------------------------------------------------------------------------------------------

XY = ("x:float32[N,4]", "y:float32[3]")


@pytest.mark.parametrize(
    ("texts", "inputs"),
    [
        (("batch.x:float32[N,4]", "batch.y:float32[3]"), ["batch_x", "batch_y"]),
        (("batch_x:float32[N,4]", "batch_y:float32[3]"), ["batch_x", "batch_y"]),
        (
            ("mask:float32[N,4]", "batch.x:float32[N,4]", "batch.y:float32[3]"),
            ["batch_x", "batch_y", "mask"],
        ),
        (
            ("batch.x:float32[N,4]", "batch.y:float32[3]", "pair.1:float32[4]", "pair.0:float32[4]"),
            ["batch_x", "batch_y", "pair_1", "pair_0"],
        ),
        (
            ("batch_x:float32[N,4]", "batch_y:float32[3]", "record_score:float32[4]", "record.mass:float32[]"),
            ["batch_x", "batch_y", "record_score", "record_mass"],
        ),
        (("batch.x:float32[N,4]", "batch.y:float32[3]", "scale:float32[]"), ["batch_x", "batch_y", "scale"]),
    ],
)
def test_nests_from_the_command_line(texts: tuple[str, ...], inputs: list[str]) -> None:
    loaded = load(Batch(), given(*texts))
    assert names(loaded)[0] == inputs
    agrees(loaded)


def test_a_name_of_a_nest_that_is_not_annotated() -> None:
    class Plain(torch.nn.Module):
        def forward(self, batch, deep=None):  # type: ignore[no-untyped-def]
            return batch["x"] + (0 if deep is None else deep["a"][0] + deep["a"][1])

    agrees(load(Plain(), given("batch_x:float32[N,4]")))
    loaded = load(Plain(), given("batch.x:float32[N,4]", "deep.a.0:float32[4]", "deep.a.1:float32[4]"))
    assert names(loaded)[0] == ["batch_x", "deep_a_0", "deep_a_1"]
    agrees(loaded)


def test_any_number_and_any_name() -> None:
    class Many(torch.nn.Module):
        def forward(self, *xs: torch.Tensor, **others: torch.Tensor) -> torch.Tensor:
            return torch.stack(xs).sum(0) + others.get("shift", torch.zeros(4))

    agrees(load(Many(), given("float32[N,4]", "float32[N,4]")))


def test_any_number_comes_ahead_of_what_goes_by_its_name() -> None:
    class Many(torch.nn.Module):
        def forward(self, *xs: torch.Tensor, shift: torch.Tensor | None = None) -> torch.Tensor:
            return torch.stack(xs).sum(0) * (1 if shift is None else shift)

    agrees(load(Many(), given("float32[N,4]")))
    agrees(load(Many(), given("float32[N,4]", "float32[N,4]", "shift:float32[4]")))


def test_nests_of_an_example() -> None:
    record = Record(torch.rand(4), torch.rand(4))
    example = {"batch": {"x": torch.rand(2, 4), "y": torch.rand(3)}, "scale": 3.0, "record": record}
    loaded = load(Batch(), LoadOptions(example=example))
    assert names(loaded)[0] == ["batch_x", "batch_y", "record_score", "record_mass"]
    assert any("fixed at the example's: scale=3.0" in note for note in loaded.notes)
    agrees(loaded)


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (("batch.x:float32[N,4]", "batch.x:float32[N,4]"), "batch.x is given twice"),
        (("pair.0:float32[4]",), "required argument batch is not given"),
        (("batches.x:float32[4]",), "there is no input batches.x|does not run"),
    ],
)
def test_nests_that_do_not_fit(texts: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        load(Batch(), given(*texts))


def test_complex_inputs_are_named() -> None:
    with pytest.raises(BadModel, match="x has the dtype complex64"):
        load(Out(lambda x: x.real), LoadOptions(example=(torch.rand(3, dtype=torch.complex64),)))


# --- outputs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "outputs"),
    [
        (lambda y: y, ["output"]),
        (lambda y: [y], ["output"]),
        (lambda y: (y, (y + 1, [y * 2])), ["output_0", "output_1", "output_2"]),
        (lambda y: (y, None, y + 1), ["output_0", "output_1"]),
        (lambda y: {"logits": y}, ["logits"]),
        (lambda y: {"x": y, "b.c": y + 1, "n": {"z": y * 2}, "t": (y, y - 1)}, ["x_", "b_c", "n_z", "t_0", "t_1"]),
        (lambda y: Pair(y, y + 1), ["score", "mass"]),
        (lambda y: Record(y, y + 1), ["score", "mass"]),
        (lambda y: (Pair(y, y + 1), y - 1), ["output_0_score", "output_0_mass", "output_1"]),
        (lambda y: {"loss": None, "logits": y, "epoch": 3}, ["logits"]),
    ],
)
def test_outputs(make: Callable[[torch.Tensor], Any], outputs: list[str]) -> None:
    loaded = load(Out(make), given("x:float32[N,4]"))
    assert names(loaded)[1] == outputs
    agrees(loaded)
    assert any("left out: epoch=3" in note for note in loaded.notes) == ("logits" in outputs and "epoch" in str(
        make(torch.ones(1))))  # fmt: skip


def test_names_of_a_program(tmp_path: Any) -> None:
    args = ({"x": torch.rand(4, 3), "y": torch.rand(2)},)
    rows = Dim("rows")
    program = torch.export.export(Batch(), args, dynamic_shapes={"batch": {"x": {0: rows}, "y": None}})
    torch.export.save(program, tmp_path / "p.pt2")
    loaded = load(tmp_path / "p.pt2")
    assert names(loaded) == (["batch_x", "batch_y"], ["output"])
    agrees(loaded, 4)


# --- open dimensions -------------------------------------------------------------------------------------------------


class Two(torch.nn.Module):
    def forward(self, x: torch.Tensor, d: dict[str, torch.Tensor]) -> torch.Tensor:
        return x.sum() * d["a"]


@pytest.mark.parametrize(
    ("shapes", "dims"),
    [
        ({"x": {0: Dim("N")}, "d": {"a": {0: Dim("M", min=2, max=9)}}}, [["N", 4], ["M"]]),
        (({0: Dim.AUTO, 1: None}, None), [["x_0", 4], [5]]),
        ({"x": (Dim("N"), 4), "d": {"a": ["K"]}}, [["N", 4], ["K"]]),
        ({"x": None}, [[3, 4], [5]]),
    ],
)
def test_dynamic_shapes(shapes: Any, dims: list[list[Any]], shapes_of: Callable[..., dict[str, Any]]) -> None:
    example = (torch.rand(3, 4), {"a": torch.rand(5)})
    loaded = load(Two(), LoadOptions(example=example, dynamic_shapes=shapes))
    assert list(shapes_of(loaded.model).values()) == dims
    agrees(loaded, 7)


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        ({"y": {0: "N"}}, "dynamic_shapes has 'y'"),
        ({"x": {2: "N"}}, "of x, a tensor of 2 axes"),
        ({"d": {0: "N"}, "x": "N"}, "says 'N' of x"),
        ({"d": 3}, "no place for d_a"),
    ],
)
def test_dynamic_shapes_that_do_not_fit(shapes: Any, says: str) -> None:
    example = (torch.rand(3, 4), {"a": torch.rand(5)})
    with pytest.raises(BadInput, match=says):
        load(Two(), LoadOptions(example=example, dynamic_shapes=shapes))


def test_dynamic_shapes_want_an_example() -> None:
    with pytest.raises(BadInput, match="there are none"):
        load(Two(), given("x:float32[3,4]", dynamic_shapes={"x": {0: "N"}}))
