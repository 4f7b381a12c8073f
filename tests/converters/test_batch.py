"""``--batch``: one meaning for ONNX and PyTorch; that of Keras stands in test_keras_models.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx
import pytest

from convert.errors import BadInput
from convert.spec import TensorSpec
from converters import LoadOptions, load
from converters.inputs import batched

Shapes = Callable[..., dict[str, list[int | str]]]
TWO = '<ir_version: 8, opset_import: ["": 17]> g (float[{}] x, float[{}] y) => (float[N,3] z) {{ z = Add(x, y) }}'


def given(*texts: str, **options: Any) -> LoadOptions:
    return LoadOptions(inputs=tuple(TensorSpec.parse(text) for text in texts), **options)


def onnx_model(x: str, y: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(TWO.format(x, y))


@pytest.mark.parametrize(
    ("x", "y", "options"),
    [
        ("N,3", "N,3", given(batch=4)),
        ("N,3", "M,3", given(batch=4)),
        ("N,3", "3", given(batch=3)),
        ("N,3", "N,3", given("x:float32[K,3]", batch=4)),
        ("N,3", "N,3", given("y:float32[4,3]", batch=4)),
    ],
)
def test_onnx(x: str, y: str, options: LoadOptions, shapes_of: Shapes) -> None:
    found = shapes_of(load(onnx_model(x, y), options).model)
    assert found["x"] == [options.batch, 3]
    assert found["y"] == ([3] if y == "3" else [options.batch, 3])
    assert shapes_of(load(onnx_model(x, y), options).model, "output") == {"z": [options.batch, 3]}


@pytest.mark.parametrize(
    ("x", "y", "options", "says"),
    [
        ("2,3", "1,3", given(batch=4), "the batch cannot be 4: the first axes of the inputs are 1 and 2"),
        ("N,3", "N,3", given("x:float32[5,3]", batch=4), "given as 5 and as 4"),
    ],
)
def test_onnx_where_it_does_not_fit(x: str, y: str, options: LoadOptions, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        load(onnx_model(x, y), options)


def test_torch(shapes_of: Shapes) -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Bilinear(3, 2, 4)
    options = given("input1:float32[N,3]", "input2:float32[N,2]", batch=5)
    assert shapes_of(load(module, options).model) == {"input1": [5, 3], "input2": [5, 2]}
    with pytest.raises(BadInput, match="example"):
        load(module, LoadOptions(example=(torch.ones(2, 3), torch.ones(2, 2)), batch=5))


def test_a_torch_program(shapes_of: Shapes) -> None:
    torch = pytest.importorskip("torch")
    shapes = ({0: torch.export.Dim("N")},)
    program = torch.export.export(torch.nn.Linear(3, 2), (torch.ones(4, 3),), dynamic_shapes=shapes)
    assert shapes_of(load(program, LoadOptions(batch=6)).model) == {"input": [6, 3]}


def test_a_name_of_the_batch_is_replaced_wherever_it_stands() -> None:
    specs = given("x:float32[N,3]", "y:float32[3,N]", "float32[2,3]").inputs
    assert [s.shape for s in batched(specs, 4, where="m")] == [(4, 3), (3, 4), (2, 3)]
    with pytest.raises(BadInput, match="first axes of the inputs are 2"):
        batched(specs[2:], 4, where="m")
