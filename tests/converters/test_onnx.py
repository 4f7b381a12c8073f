"""ONNX files: content before suffix, external data, opsets, dtypes, dimensions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from convert.errors import BadInput, BadModel, LoadError, UnsafeFile
from convert.spec import TensorSpec
from converters import LoadOptions, load
from converters.inputs import apply_specs, specs_of

Make = Callable[..., onnx.ModelProto]
Save = Callable[..., Path]
Shapes = Callable[..., dict[str, list[int | str]]]


def given(*texts: str) -> LoadOptions:
    return LoadOptions(inputs=tuple(TensorSpec.parse(text) for text in texts))


@pytest.mark.parametrize("name", ["m.onnx", "m.bin", "m.pt", "noname"])
def test_content_before_suffix(relu: Make, save: Save, name: str) -> None:
    loaded = load(save(relu([2, 7]), name))
    assert (loaded.frontend, loaded.kind, loaded.reference, loaded.examples) == ("onnx", "ONNX model", None, ())
    assert loaded.name == Path(name).stem


@pytest.mark.parametrize("opset", [7, 13, onnx.defs.onnx_opset_version()])
def test_opsets(relu: Make, save: Save, opset: int) -> None:
    model = relu([2, 7], opset=opset, ir=3 if opset == 7 else 8)
    if opset == 7:
        model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [7]))
    loaded = load(save(model))
    assert [v.name for v in loaded.model.graph.input] == ["x"]
    onnx.checker.check_model(loaded.model)


@pytest.mark.parametrize(("opset", "says"), [(6, "older than 7"), (99, "opset 99")])
def test_opset_out_of_range(relu: Make, save: Save, opset: int, says: str) -> None:
    with pytest.raises(BadModel, match=says):
        load(save(relu([2, 7], opset=opset)))


@pytest.mark.parametrize("cut", [30, 60, 0.5, 0.9])
def test_truncated(relu: Make, save: Save, cut: float) -> None:
    path = save(relu([2, 7]))
    content = path.read_bytes()
    path.write_bytes(content[: int(cut if cut > 1 else cut * len(content))])
    with pytest.raises(LoadError, match="truncated or damaged"):
        load(path)


def test_default_valued_inputs_are_constants(relu: Make, save: Save) -> None:
    model = relu([2, 7])
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [7]))
    loaded = load(save(model))
    assert [v.name for v in loaded.model.graph.input] == ["x"]
    assert "default" in loaded.notes[0]


def _external(model: onnx.ModelProto, location: str, length: int = 28) -> onnx.ModelProto:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "4"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    return model


def test_external_data_is_read_inline(relu: Make, save: Save, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "w.bin").write_bytes(b"\0" * 4 + np.arange(7, dtype=np.float32).tobytes())
    (tmp_path / "link.bin").symlink_to("sub/w.bin")
    for location in ("sub/w.bin", "link.bin"):
        model = load(save(_external(relu([2, 7]), location))).model
        np.testing.assert_array_equal(numpy_helper.to_array(model.graph.initializer[0]), np.arange(7))


@pytest.mark.parametrize(
    "location", ["/etc/hostname", "../w.bin", "sub/../../w.bin", "C:\\w.bin", "..\\w.bin", "out.bin"]
)
def test_external_data_outside_is_refused(relu: Make, tmp_path: Path, location: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "w.bin").write_bytes(b"\0" * 32)
    (home / "out.bin").symlink_to(tmp_path / "w.bin")
    path = home / "m.onnx"
    path.write_bytes(_external(relu([2, 7]), location).SerializeToString())
    with pytest.raises(UnsafeFile, match="outside the model's folder"):
        load(path)


def test_external_data_missing_or_short(relu: Make, save: Save, tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="does not exist"):
        load(save(_external(relu([2, 7]), "w.bin")))
    (tmp_path / "w.bin").write_bytes(b"\0" * 31)
    with pytest.raises(BadModel, match="too short"):
        load(save(_external(relu([2, 7]), "w.bin")))
    (tmp_path / "w.bin").write_bytes(b"\0" * 32)
    with pytest.raises(BadModel):
        load(save(_external(relu([2, 7]), "w.bin", length=8)))
    with pytest.raises(BadModel, match="lacks its external data"):
        load(_external(relu([2, 7]), "w.bin"))


def test_external_data_in_a_subgraph_is_found(relu: Make, save: Save) -> None:
    inner = _external(relu([2, 7]), "../w.bin").graph
    model = relu([2, 7])
    model.graph.node[0].attribute.append(helper.make_attribute("body", inner))
    with pytest.raises(UnsafeFile):
        load(save(model))


def test_checker_and_outputs(relu: Make, save: Save) -> None:
    model = relu([2, 7])
    model.graph.node[1].op_type = "Rleu"
    with pytest.raises(BadModel, match=r"onnx.checker refuses[\s\S]*Rleu"):
        load(save(model))
    model = relu([2, 7])
    del model.graph.output[:]
    with pytest.raises(BadModel, match="no outputs"):
        load(save(model))


@pytest.mark.parametrize(
    ("dtype", "says"),
    [
        (TensorProto.STRING, "string"),
        (TensorProto.COMPLEX64, "complex64"),
        (TensorProto.FLOAT8E4M3FN, "float8"),
        (TensorProto.INT4, "int4"),
    ],
)
def test_dtypes_are_refused_by_tensor(save: Save, dtype: int, says: str) -> None:
    values = [helper.make_tensor_value_info(name, dtype, [2]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", values[:1], values[1:])
    with pytest.raises(BadModel, match=f"input x has the dtype {says}[\\s\\S]*output y"):
        load(save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])))


def test_sequence_is_refused(save: Save) -> None:
    x = helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [2])
    y = helper.make_tensor_value_info("y", TensorProto.INT64, [])
    graph = helper.make_graph([helper.make_node("SequenceLength", ["x"], ["y"])], "g", [x], [y])
    with pytest.raises(BadModel, match="input x is not a tensor but a sequence"):
        load(save(helper.make_model(graph)))


def _two(a: list[Any], b: list[Any]) -> onnx.ModelProto:
    """y = Concat(a, b; axis=0), z = Relu(a)"""
    graph = helper.make_graph(
        [helper.make_node("Concat", ["a", "b"], ["y"], axis=0), helper.make_node("Relu", ["a"], ["z"])],
        "g",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, a),
         helper.make_tensor_value_info("b", TensorProto.FLOAT, b)],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["2*N", 3]),
            helper.make_tensor_value_info("z", TensorProto.FLOAT, a),
        ],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_name_is_fixed_everywhere(save: Save, shapes_of: Shapes) -> None:
    loaded = load(save(_two(["N", 3], ["N", 3])), given("float32[4,3]"))
    assert shapes_of(loaded.model) == {"a": [4, 3], "b": [4, 3]}
    assert shapes_of(loaded.model, "output") == {"y": [8, 3], "z": [4, 3]}
    session = onnxruntime.InferenceSession(loaded.model.SerializeToString())
    assert session.run(["y"], {k: np.ones((4, 3), np.float32) for k in "ab"})[0].shape == (8, 3)


def test_renamed_and_kept(save: Save, shapes_of: Shapes) -> None:
    loaded = load(save(_two(["N", 3], ["N", 3])), given("b:float32[batch,3]"))
    assert shapes_of(loaded.model) == {"a": ["batch", 3], "b": ["batch", 3]}
    assert shapes_of(loaded.model, "output") == {"y": ["2*batch", 3], "z": ["batch", 3]}
    assert shapes_of(load(save(_two(["N", 3], ["M", 3])), given("a:float32[N,3]")).model)["b"] == ["M", 3]
    swapped = load(save(_two(["N", 3], ["M", 3])), given("a:float32[M,3]", "b:float32[N,3]"))
    assert shapes_of(swapped.model) == {"a": ["M", 3], "b": ["N", 3]}


@pytest.mark.parametrize("mark", ["?", "-1", "None"])
def test_marks_that_are_no_names_are_sizes_of_their_own(relu: Make, save: Save, shapes_of: Shapes, mark: str) -> None:
    path = save(relu(["N", mark, mark]))
    assert shapes_of(load(path).model) == {"x": ["N", "x_1", "x_2"]}
    assert shapes_of(load(path, given("x:float32[N,4,5]")).model) == {"x": ["N", 4, 5]}


def test_nameless_dimensions_get_names(save: Save, shapes_of: Shapes) -> None:
    model = _two([None, 3], [None, 3])
    model.graph.input[1].type.tensor_type.shape.dim[0].dim_value = -1
    loaded = load(save(model))
    assert shapes_of(loaded.model) == {"a": ["a_0", 3], "b": ["b_0", 3]}
    assert len([n for n in loaded.notes if "--input" in n]) == 2
    fixed = load(save(model), given("b:float32[2,3]"))
    assert shapes_of(fixed.model) == {"a": ["a_0", 3], "b": [2, 3]}


def test_names_that_are_no_names(save: Save, shapes_of: Shapes) -> None:
    loaded = load(save(_two(["N; int x=1;", 3], ["N + 1", 3])))
    assert shapes_of(loaded.model) == {"a": ["a_0", 3], "b": ["b_0", 3]}
    assert shapes_of(loaded.model, "output")["z"] == ["a_0", 3]
    taken = load(save(_two([None, 3], ["a_0", 3])))
    assert shapes_of(taken.model) == {"a": ["a_0_", 3], "b": ["a_0", 3]}


def test_value_info_follows(relu: Make, save: Save, shapes_of: Shapes) -> None:
    model = relu(["N", 7])
    model.graph.value_info.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, ["unk_3", 7]))
    assert shapes_of(load(save(model), given("float32[5,7]")).model, "value_info") == {"s": [5, 7]}


def test_unknown_rank(save: Save, shapes_of: Shapes) -> None:
    model = _two(["N", 3], ["N", 3])
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(BadInput, match="how many axes the input a has"):
        load(save(model))
    assert shapes_of(load(save(model), given("a:float32[K,3]")).model) == {"a": ["K", 3], "b": ["N", 3]}


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["a:float32[4]"], "a has 2 axes, not 1"),
        (["a:float32[4,5]"], "axis 1 of the input a has the fixed size 3, not 5"),
        (["a:float32[4,K]"], "fixed size 3, not K"),
        (["a:int64[4,3]"], "dtype float32, not int64"),
        (["aa:float32[4,3]"], r"no input aa[\s\S]*did you mean a"),
        (["float32[4,3]"] * 3, "one input too many"),
        (["a:float32[4,3]"] * 2, "given twice"),
        (["a:float32[4,3]", "b:float32[5,3]"], "the dimension N is given as 4 and as 5"),
        (["a:float32[0,3]"], "size 0"),
        (["q:float32[1]", "a:int64[4,5]"], r"no input q[\s\S]*dtype[\s\S]*fixed size"),
    ],
)
def test_misfits(save: Save, texts: list[str], says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        load(save(_two(["N", 3], ["N", 3])), given(*texts))
    assert "a:float32[N,3] b:float32[N,3]" in str(caught.value)


def test_model_in_memory_is_not_changed(relu: Make, shapes_of: Shapes) -> None:
    model = relu(["N", 7])
    before = model.SerializeToString()
    assert shapes_of(load(model, given("float32[2,7]")).model)["x"] == [2, 7]
    assert model.SerializeToString() == before
    assert apply_specs(model, (), where="") == ()
    assert specs_of(model) == (TensorSpec("x", "float32", ("N", 7)),)
