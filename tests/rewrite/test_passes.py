"""The passes that always run, each on small models: what it does to the operators, and that the numbers stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from small_models import arrays_for, assert_same_numbers, evaluated, operators, parse

from convert.errors import BadModel
from rewrite.api import prepare
from rewrite.graph import Graph, static_shape
from rewrite.passes.densify import densify
from rewrite.passes.drop_no_ops import drop_no_ops
from rewrite.passes.fold_constants import LIMIT, fold_constants
from rewrite.passes.infer_shapes import infer_shapes
from rewrite.passes.inline_functions import inline_functions
from rewrite.passes.inline_if import inline_if
from rewrite.passes.write_defaults import write_defaults


def graph_of(text: str) -> Graph:
    return Graph.read(infer_shapes(parse(text)))


def after(text: str, *passes: Any) -> onnx.ModelProto:
    """The model behind the passes; checked, and of the same numbers as before."""
    graph = graph_of(text)
    for run in passes:
        run(graph)
    graph.drop_dead()
    written = graph.write()
    assert_same_numbers(parse(text), written)
    return written


# ---------------------------------------------------------------------------------------------- inline_functions

FUNCTIONS = """<ir_version: 10, opset_import: ["": 20, "a": 1, "b": 1]>
m (float[2,3] x, bool c) => (float[2,3] y) { h = a.Twice(x) y = b.Shift<by=2.0>(h) }
<domain: "a", opset_import: ["": %(opset)d, "b": %(b)d]> Twice (x) => (y) { s = b.Shift<by=1.0>(x) y = Add(s, x) }
<domain: "b", opset_import: ["": 20]> Shift <by: float = 0.5>(x) => (y)
{ k = Constant<value_float: float = @by>() y = Add(x, k) }
"""


@pytest.mark.parametrize(("opset", "b"), [(20, 1), (20, 7), (18, 1), (13, 3)])
def test_functions_are_inlined(opset: int, b: int) -> None:
    """Nested, and with imports of their own domains, or of ONNX, at other versions than the model's."""
    model = onnx.parser.parse_model(FUNCTIONS % {"opset": opset, "b": b})
    inlined = inline_functions(model)
    assert set(operators(inlined)) == {"Constant", "Add"}
    x = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    got = evaluated(inlined, {"x": x, "c": np.array(True)})["y"]
    np.testing.assert_allclose(got, 2 * x + 3, rtol=1e-6)


def test_a_function_inside_an_if_is_inlined() -> None:
    model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["": 20, "a": 1]>
        m (float[3] x, bool c) => (float[3] y) { y = If(c)
        <then_branch = t () => (float[3] u) { u = a.Twice(x) }, else_branch = e () => (float[3] v) { v = Neg(x) }> }
        <domain: "a", opset_import: ["": 20]> Twice (x) => (y) { y = Add(x, x) }""")
    after = prepare(model).write()
    branches = {a.name: operators_of(a.g) for a in after.graph.node[0].attribute}
    assert branches == {"then_branch": ["Add"], "else_branch": ["Neg"]}
    assert_same_numbers(model, after)


def operators_of(graph: onnx.GraphProto) -> list[str]:
    return [n.op_type for n in graph.node]


def test_functions_of_another_opset() -> None:
    model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["": 20, "a": 1]>
        m (float[2,3,1] x) => (float[2,3] z) { h = Neg(x) y = a.Old(h) z = Exp(y) }
        <domain: "a", opset_import: ["": 11]> Old (x) => (y) { y = Squeeze<axes=[2]>(x) }""")
    written = prepare(model).write()
    assert operators(written) == ["Neg", "Squeeze", "Exp"]
    x = arrays_for(model)["x"]
    got = evaluated(written, {"x": x})["z"]
    np.testing.assert_allclose(got, np.exp(-x[..., 0]), rtol=1e-6)


def test_a_function_that_stays_is_named() -> None:
    model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["": 20, "a": 1]>
        m (float[3] x) => (float[3] y) { y = a.Odd(x) }
        <domain: "a", opset_import: ["": 3]> Odd (x) => (y) { y = Upsample<width_scale=1.0, height_scale=1.0>(x) }""")
    with pytest.raises(BadModel, match="Odd"):
        inline_functions(model)


def test_provenance_survives_inlining() -> None:
    model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["": 20, "a": 1]>
        m (float[3] x) => (float[3] y) { h = a.Twice(x) y = Neg(h) }
        <domain: "a", opset_import: ["": 20]> Twice (x) => (y) { y = Add(x, x) }""")
    trace = 'File "model/net.py", line {}, in forward'
    for node, line in ((model.functions[0].node[0], 3), (model.graph.node[1], 5)):
        node.metadata_props.add(key="pkg.torch.onnx.stack_trace", value=trace.format(line))
    graph = prepare(model)
    assert {n.op: graph.origin(n).source for n in graph.nodes} == {
        "Add": "model/net.py:3",
        "Neg": "model/net.py:5",
    }


# ------------------------------------------------------------------------------------------------- write_defaults


def test_defaults_are_written_out() -> None:
    text = "(float[1,2,5,5] x, float[2,2,3,3] w) => (float[1,2,3,3] y) { y = Conv(x, w) }"
    node = next(iter(graph_of_with(text, write_defaults).nodes))
    expected = {"auto_pad": "NOTSET", "dilations": [1, 1], "group": 1, "kernel_shape": [3, 3], "pads": [0] * 4}
    assert node.attrs == {**expected, "strides": [1, 1]}


def graph_of_with(text: str, run: Any) -> Graph:
    graph = graph_of(text)
    run(graph)
    return graph


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("(float[2,3] x) => (float[3,2] y) { y = Transpose(x) }", {"perm": [1, 0]}),
        ("(float[2,3] x) => (float[2,3] y) { y = Elu(x) }", {"alpha": 1.0}),
        ("(float[2,3] x) => (float[2,3] y) { y = Elu<alpha=0.5>(x) }", {"alpha": 0.5}),
        ("(float[2,3] x) => (float[2,3] y) { y = Relu(x) }", {}),
        ("(float[2,3] x) => (float[2,3] y) { y = my.Elu(x) }", {}),
    ],
)
def test_defaults_of(text: str, attributes: dict[str, Any]) -> None:
    graph = Graph.read(parse(text, domains={"my": 1}))
    write_defaults(graph)
    assert graph.nodes[0].attrs == attributes


def test_defaults_leave_auto_pad_to_speak() -> None:
    text = '(float[1,1,5] x) => (float[1,1,5] y) <float[1,1,3] w={1,2,3}> { y = Conv<auto_pad="SAME_UPPER">(x, w) }'
    assert "pads" not in graph_of_with(text, write_defaults).nodes[0].attrs


# ------------------------------------------------------------------------------------------------- fold_constants


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("(float[2] x) => (float[2] y) { a = Constant<value_floats=[1.0,2.0]>() y = Add(x, a) }", ["Add"]),
        ("(float[2] x) => (float[2] y) <float[2] a={1,2}> { b = Neg(a) c = Exp(b) y = Add(x, c) }", ["Add"]),
        ("(float[2,3] x) => (int64[2] y) { y = Shape(x) }", ["Shape"]),
        ("(float[2,3,4] x) => (int64[1] y) { s = Shape<start=-2, end=-1>(x) y = Abs(s) }", ["Abs"]),
        ("(float[2,3,4] x) => (int64 y) { s = Size(x) y = Abs(s) }", ["Abs"]),
        ("(float[N,3] x) => (int64[2] y) { y = Shape(x) }", ["Shape"]),
        ("(float[N,3,4] x) => (int64[1] y) { s = Shape<start=1, end=2>(x) y = Abs(s) }", ["Abs"]),
        ("(float[2] x) => (float[2] y) { s = Shape(x) z = ConstantOfShape(s) y = Add(x, z) }", ["Add"]),
        ("(float[2,2] x) => (int64[2,3] y) <float[2,2] a={1,1,0,1}> { i = NonZero(a) y = Abs(i) }", ["Abs"]),
        ("(float[2,2] x) => (float[2,2] y) <float[2,2] a={1,2,3,4}> { b = Trilu(a) y = Mul(x, b) }", ["Mul"]),
        ("(float[2] x) => (float[2] y) { r = RandomNormal<shape=[2]>() z = Sub(r, r) y = Add(x, z) }",
         ["RandomNormal", "Sub", "Add"]),
        ("(float[4] x) => (float[2] y) { i = Constant<value_ints=[3,1]>() y = Gather(x, i) }", ["Gather"]),
        ("(float[1] x) => (float[1] y) { s = Constant<value_int=1>() k = ConstantOfShape<value=float[1]{2}>(s2) "
         "s2 = Constant<value_ints=[1]>() y = Mul(x, k) }", ["Mul"]),
    ],
)  # fmt: skip
def test_folded(text: str, left: list[str]) -> None:
    if "s2" in text:  # written in disorder: Graph.read sorts
        shuffled = parse(text)
        graph = Graph.read(shuffled)
        fold_constants(graph)
        graph.drop_dead()
        assert operators(graph.write()) == left
        return
    if "Random" in text:
        graph = graph_of(text)
        fold_constants(graph)
        assert operators(graph.write()) == left
        return
    assert operators(after(text, fold_constants)) == left


def test_large_results_are_not_folded() -> None:
    graph = graph_of(
        f"(float[1] x) => (float[{LIMIT + 1}] y) <int64[1] s={{{LIMIT + 1}}}> {{ y = ConstantOfShape(s) }}"
    )
    fold_constants(graph)
    assert [n.op for n in graph.nodes] == ["ConstantOfShape"]
    text = "(float[1] x) => (float[1000,1000,5] y) <float[1] a={1}, int64[3] s={1000,1000,5}> { y = Expand(a, s) }"
    graph = graph_of(text)
    fold_constants(graph)
    assert [n.op for n in graph.nodes] == ["Expand"]


def test_text_is_not_folded() -> None:
    graph = graph_of('(float[1] x) => (string[1] y) { y = Constant<value_strings=["a"]>() }')
    fold_constants(graph)
    assert [n.op for n in graph.nodes] == ["Constant"]


def test_empty_constants_keep_their_dtype() -> None:
    model = parse("(float[2] x, float[0] z) => (float[2] y) <int64[0] i = {}> "
                  "{ a = Constant() b = Add(a, z) y = ScatterElements<axis=0>(x, i, b) }")  # fmt: skip
    model.graph.node[0].attribute.append(onnx.AttributeProto(name="value_floats", type=onnx.AttributeProto.FLOATS))
    written = prepare(model).write()
    held = numpy_helper.to_array(next(i for i in written.graph.initializer if i.name != "i"))
    assert held.dtype == np.float32
    assert held.shape == (0,)


def test_sparse_constants_become_dense() -> None:
    values = numpy_helper.from_array(np.array([5, 7], np.float32), "w")
    for indices in (np.array([1, 5]), np.array([[0, 1], [1, 2]])):
        sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(indices.astype(np.int64), "i"), [2, 3])
        model = parse("(float[2,3] x) => (float[2,3] y) { y = Add(x, w) }")
        model.graph.sparse_initializer.append(sparse)
        densify(model)
        assert not model.graph.sparse_initializer
        np.testing.assert_array_equal(numpy_helper.to_array(model.graph.initializer[0]), [[0, 5, 0], [0, 0, 7]])
        inner = parse("(float[2,3] x) => (float[2,3] y) { w = Constant<value_int=1>() y = Add(x, w) }")
        del inner.graph.node[0].attribute[:]
        inner.graph.node[0].attribute.append(helper.make_attribute("sparse_value", sparse))
        written = prepare(inner).write()
        np.testing.assert_array_equal(numpy_helper.to_array(written.graph.initializer[0]), [[0, 5, 0], [0, 0, 7]])


def test_attributes_that_would_be_lost_are_refused() -> None:
    model = parse("(float[2] x) => (float[2] y) { y = Optional(x) }")
    kind = helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [2])
    model.graph.node[0].attribute.append(helper.make_attribute("type", kind))
    with pytest.raises(BadModel, match="TYPE_PROTO"):
        prepare(model)


# ----------------------------------------------------------------------------------------------------- drop_no_ops


@pytest.mark.parametrize(
    "node",
    [
        "Identity(a)", "Dropout(a)", "Dropout(a, r)", "Dropout(a, r, f)", "Cast<to=1>(a)", "Concat<axis=0>(a)",
        "Sum(a)", "Max(a)", "Min(a)", "Mean(a)", "Transpose<perm=[0,1]>(a)", "Reshape(a, s)", "Flatten(a)",
        "Expand(a, s)", "Pad(a, p)", "Slice(a, z, s)", "Slice(a, z, s, , o)",
    ],
)  # fmt: skip
def test_no_ops_are_dropped(node: str) -> None:
    constants = (
        "<int64[2] s={2,3}, int64[4] p={0,0,0,0}, int64[2] z={0,0}, int64[2] o={1,1}, float r={0.5}, bool f={0}>"
    )
    text = f"(float[2,3] x) => (float[2,3] y) {constants} {{ a = Neg(x) b = {node} y = Exp(b) }}"
    assert operators(after(text, drop_no_ops)) == ["Neg", "Exp"]


@pytest.mark.parametrize(
    "text",
    [
        "(float[2,3] x) => (float[2,3] y) { y = Identity(x) }",
        "(float[2,3] x) => (float[2,3] y) <float[2,3] w={1,2,3,4,5,6}> { y = Identity(w) }",
        "(float[2,3] x) => (float[2,3] y) { y = Cast<to=1>(x) }",
        "(float[2,3] x) => (float[2,3] y) { a = Identity(x) b = Identity(a) y = Identity(b) }",
    ],
)
def test_between_input_and_output_something_stays(text: str) -> None:
    assert operators(after(text, drop_no_ops)) == ["Identity"]


def test_two_outputs_of_one_value() -> None:
    text = "(float[2] x) => (float[2] y, float[2] z) { a = Neg(x) y = Identity(a) z = Identity(a) }"
    assert sorted(operators(after(text, drop_no_ops))) == ["Identity", "Neg"]
    text = "(float[2] x) => (float[2] a, float[2] z) { a = Neg(x) z = Identity(a) }"
    assert sorted(operators(after(text, drop_no_ops))) == ["Identity", "Neg"]


@pytest.mark.parametrize(
    "text",
    [
        "(float[2,3] x) => (float[2,3] y, bool[2,3] m) { y, m = Dropout(x) }",
        "(float[2,3] x) => (bool[2,3] y) { a, m = Dropout(x) y = Not(m) }",
        "(float[2,3] x, bool t) => (float[2,3] y) <float r={0.5}> { y = Dropout(x, r, t) }",
        "(float[2,3] x) => (double[2,3] y) { y = Cast<to=11>(x) }",
        "(float[2,3] x) => (float[2,3] y) <int64[2] b={-1,-1}, int64[2] e={-9,-9}, int64[2] a={0,1}>"
        " { y = Slice(x, b, e, a, b) }",
        "(float[2,2] x) => (float[2,2] y) { y = Transpose<perm=[1,0]>(x) }",
        "(float[2,2] x) => (float[2,2] y) <int64[4] p={1,0,-1,0}> { y = Pad(x, p) }",
        "(float[N,2] x, int64[2] s) => (float[M,K] y) { y = Reshape(x, s) }",
    ],
)
def test_what_only_looks_like_a_no_op_stays(text: str) -> None:
    graph = graph_of(text)
    count = len(graph.nodes)
    drop_no_ops(graph)
    assert len(graph.nodes) == count


@pytest.mark.parametrize(
    ("joined", "left", "read"), [("e, x, z", "Concat", 2), ("x, e", "Identity", 1), ("x, z", "Concat", 2)]
)
def test_what_has_no_elements_is_not_joined(joined: str, left: str, read: int) -> None:
    text = f"(float[N,3] x, float[N,3] z) => (float[M,3] y) <float[0,3] e={{}}> {{ y = Concat<axis=0>({joined}) }}"
    graph = graph_of(text)
    drop_no_ops(graph)
    assert [(n.op, len(n.inputs)) for n in graph.nodes] == [(left, read)]
    assert_same_numbers(parse(text), graph.write())


# ------------------------------------------------------------------------------------------------------- inline_if

BRANCHES = """<then_branch = t () => (float[3] u) { k = Constant<value_float=2.0>() a = Mul(x, k) u = Add(a, w) },
    else_branch = e () => (float[3] v) { v = Neg(x) }>"""


@pytest.mark.parametrize(("condition", "left"), [("1", ["Mul", "Add", "Exp"]), ("0", ["Neg", "Exp"])])
def test_if_of_a_constant(condition: str, left: list[str]) -> None:
    text = f"""(float[3] x) => (float[3] y) <bool c={{{condition}}}, float[3] w={{1,2,3}}>
        {{ h = If(c) {BRANCHES} y = Exp(h) }}"""
    assert operators(after(text, inline_if, fold_constants)) == left


def test_if_of_a_run_time_value_stays() -> None:
    text = f"(float[3] x, bool c) => (float[3] y) <float[3] w={{1,2,3}}> {{ h = If(c) {BRANCHES} y = Exp(h) }}"
    assert operators(after(text, inline_if)) == ["If", "Exp"]


def test_names_in_branches_may_be_those_outside() -> None:
    """Two branches, each with an initializer and a tensor of its own by one name."""
    branch = """If(c) <then_branch = t () => (float[2] u) <float[2] k={%s}> { a = Add(x, k) u = Mul(a, k) },
        else_branch = e () => (float[2] u) { u = Neg(x) }>"""
    text = f"(float[2] x) => (float[2] y) <bool c={{1}}> {{ p = {branch % '1,2'} q = {branch % '3,5'} y = Add(p, q) }}"
    written = prepare(parse(text)).write()
    assert operators(written) == ["Add", "Mul", "Add", "Mul", "Add"]
    x = np.array([1, 10], np.float32)
    got = evaluated(written, {"x": x})["y"]
    np.testing.assert_allclose(got, np.array([2 * 1 + 4 * 3, 12 * 2 + 15 * 5]), rtol=1e-6)


def test_if_inside_an_if() -> None:
    text = """(float[3] x) => (float[3] y) <bool c={1}> { y = If(c)
        <then_branch = t () => (float[3] u) { i = Constant<value=bool{1}>() o = Not(i)
            u = If(o) <then_branch = tt () => (float[3] p) { p = Neg(x) },
                       else_branch = te () => (float[3] q) { q = Exp(x) }> },
         else_branch = e () => (float[3] v) { v = Abs(x) }> }"""
    written = prepare(parse(text)).write()
    assert operators(written) == ["Exp"]
    assert_same_numbers(parse(text), written)


def test_a_branch_may_give_back_a_constant_or_what_is_outside() -> None:
    text = """(float[3] x) => (float[3] y) <bool c={1}> { h = If(c)
        <then_branch = t () => (float[3] u) <float[3] u={1,2,3}> { },
         else_branch = e () => (float[3] v) { v = Neg(x) }> y = Add(x, h) }"""
    assert operators(prepare(parse(text)).write()) == ["Add"]


def test_shapes_are_known_behind_an_if() -> None:
    """Its branches differ in shape, so that inference over the model knows none behind it."""
    text = """(float[1,1,5] x) => (float[1,1,M] y) <bool c={1}, float[1,1,3] w={1,2,3}> { h = If(c)
        <then_branch = t () => (float[1,1,5] u) { u = Neg(x) },
         else_branch = e () => (float[1,1,10] v) { v = Concat<axis=2>(x, x) }>
        y = Conv<auto_pad="SAME_UPPER", strides=[2]>(h, w) }"""
    graph = prepare(parse(text))
    assert [static_shape(n.outputs[0]) for n in graph.nodes] == [(1, 1, 5), (1, 1, 3)]
    assert graph.nodes[-1].attrs["pads"] == [1, 1]
    assert_same_numbers(parse(text), graph.write())


def test_provenance_of_what_was_in_a_branch() -> None:
    text = f"(float[3] x) => (float[3] y) <bool c={{1}}, float[3] w={{1,2,3}}> {{ h = If(c) {BRANCHES} y = Exp(h) }}"
    model = parse(text)
    body = next(a.g for a in model.graph.node[0].attribute if a.name == "then_branch")
    for node in body.node:
        node.name = f"then/{node.op_type}"
    graph = prepare(model)
    assert [graph.origin(n).node for n in graph.nodes] == ["then/Mul", "then/Add", "y"]
