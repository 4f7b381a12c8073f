"""The graph: order, substitution, what reading and writing keep, probes, and that weights are not copied."""

from __future__ import annotations

import random

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from small_models import arrays_for, assert_same_numbers, operators, parse

from convert.errors import BadModel
from rewrite.graph import OPSET, Graph, infer, is_constant, probe_of, shape_of, static_shape, value
from rewrite.order import topological
from rewrite.passes.infer_shapes import infer_shapes
from rewrite.probe import filled

CHAIN = "(float[2,3] x) => (float[2,3] y) { a = Neg(x) b = Exp(a) c = Abs(b) d = Add(a, c) e = Mul(d, b) y = Sqrt(e) }"


def graph_of(text: str) -> Graph:
    return Graph.read(infer_shapes(parse(text)))


# ----------------------------------------------------------------------------------------------------------- order


@pytest.mark.parametrize("seed", range(5))
def test_a_shuffled_graph_is_sorted(seed: int) -> None:
    model = parse(CHAIN)
    nodes = list(model.graph.node)
    random.Random(seed).shuffle(nodes)
    shuffled = onnx.ModelProto.FromString(model.SerializeToString())
    del shuffled.graph.node[:]
    shuffled.graph.node.extend(nodes)
    assert_same_numbers(model, Graph.read(shuffled).write())


def test_order_is_stable() -> None:
    assert operators(graph_of(CHAIN).write()) == operators(parse(CHAIN))


def test_what_a_body_reads_comes_before_it() -> None:
    graph = graph_of("""(float[3] x, bool c) => (float[3] y) { h = Abs(x) y = If(c)
        <then_branch = t () => (float[3] u) { u = Neg(h) }, else_branch = e () => (float[3] v) { v = Exp(x) }> }""")
    graph.nodes = graph.nodes[::-1]
    graph.sort()
    assert operators(graph.write()) == ["Abs", "If"]
    assert graph.drop_dead() == 0


def test_a_circle_is_an_error() -> None:
    with pytest.raises(BadModel, match=r"circle.*'a'"):
        Graph.read(parse("(float[3] x) => (float[3] y) { a = Add(x, b) b = Neg(a) y = Exp(x) }"))


def test_topological_order_is_linear() -> None:
    """Each item is asked a bounded number of times, in the worst order there is."""
    asked = 0
    things = [object() for _ in range(2001)]

    def reads(i: int) -> list[object]:
        nonlocal asked
        asked += 1
        return [things[i]]

    order = topological(range(2000)[::-1], reads, lambda i: [things[i + 1]])
    assert order == [*range(2000)]
    assert asked == 2000


# ---------------------------------------------------------------------------------------------------- substitution


def test_one_result_for_two_outputs() -> None:
    graph = graph_of("(float[2,4] x) => (float[2,2] p, float[2,2] q) { a, b = Split<axis=1, num_outputs=2>(x) "
                     "p = Neg(a) q = Exp(b) }")  # fmt: skip
    split, negated = graph.nodes[0], graph.inputs[0]
    begin, end, axis = (graph.constant(np.array([n])) for n in (1, 3, 1))
    piece = graph.node("Slice", [negated, begin, end, axis], {})
    graph.nodes = [piece, *graph.substitute(split, [piece.outputs[0]] * 2), *graph.nodes[1:]]
    written = graph.write()
    assert_same_numbers(
        parse("(float[2,4] x) => (float[2,2] p, float[2,2] q) <int64[1] s={1}, int64[1] e={3}>"
              "{ a = Slice(x, s, e, s) p = Neg(a) q = Exp(a) }"), written, arrays_for(written))  # fmt: skip


def test_one_result_for_two_outputs_of_the_model() -> None:
    graph = graph_of("(float[2,4] x) => (float[2,2] a, float[2,2] b) { a, b = Split<axis=1, num_outputs=2>(x) }")
    begin, end, axis = (graph.constant(np.array([n])) for n in (1, 3, 1))
    piece = graph.node("Slice", [graph.inputs[0], begin, end, axis], {})
    graph.nodes = [piece, *graph.substitute(graph.nodes[0], [piece.outputs[0]] * 2)]
    written = graph.write()
    assert operators(written) == ["Slice", "Identity"]
    onnx.checker.check_model(written, full_check=True)


def test_an_output_may_turn_out_to_be_an_input_or_a_constant() -> None:
    graph = graph_of("(float[2] x) => (float[2] y, float[2] z) { y = Neg(x) z = Exp(x) }")
    first, second = graph.nodes
    constant = graph.constant(np.array([1, 2], np.float32))
    graph.nodes = [*graph.substitute(first, [graph.inputs[0]]), *graph.substitute(second, [constant])]
    written = graph.write()
    assert operators(written) == ["Identity", "Identity"]
    assert [o.name for o in written.graph.output] == ["y", "z"]
    onnx.checker.check_model(written, full_check=True)


def test_dead_nodes_are_dropped() -> None:
    graph = graph_of("(float[2] x) => (float[2] y) { a = Neg(x) b = Exp(a) c = Abs(b) y = Sqrt(x) }")
    assert graph.drop_dead() == 3
    assert operators(graph.write()) == ["Sqrt"]
    assert [n.op for n in graph.inputs[0].outputs] == ["Sqrt"]


# ---------------------------------------------------------------------------------------------- reading and writing

BODIES = {
    "If": "(float[3] x, bool c) => (float[3] y) <float[3] w={1,2,3}> { y = If(c)"
    " <then_branch = t () => (float[3] u) { a = Add(x, w) u = Neg(a) },"
    " else_branch = e () => (float[3] v) <float[3] k={4,5,6}> { v = Mul(x, k) }> }",
    "Loop": "(float[3] x) => (float[3] y, float[4,3] s) <int64 n={4}, bool c={1}> { y, s = Loop(n, c, x)"
    " <body = b (int64 i, bool on, float[3] h) => (bool still, float[3] g, float[3] seen)"
    " { still = Identity(on) g = Add(h, x) seen = Neg(g) }> }",
    "Scan": "(float[5,2] x) => (float[2] y, float[5,2] s) <float[2] z={0,0}> { y, s = Scan<num_scan_inputs=1,"
    " body = b (float[2] h, float[2] e) => (float[2] g, float[2] seen) { g = Add(h, e) seen = Identity(g) }>(z, x) }",
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_survive(name: str) -> None:
    model = parse(BODIES[name])
    assert_same_numbers(model, graph_of(BODIES[name]).write())


def test_fresh_names_are_not_those_of_bodies() -> None:
    graph = Graph.read(infer_shapes(_renamed(parse(BODIES["If"]), "a", "k.1")))
    assert graph.fresh("k") == "k.2"


def _renamed(model: onnx.ModelProto, old: str, new: str) -> onnx.ModelProto:
    body = model.graph.node[0].attribute[0].g
    body.node[0].output[0] = body.node[1].input[0] = new
    assert old not in str(body.node[1].input)
    return model


def test_empty_lists_as_attributes() -> None:
    """graphsurgeon cannot tell the type of an empty list, and raises."""
    text = "(float x) => (float y) { y = Transpose(x) }"
    model = parse(text)
    model.graph.node[0].attribute.append(onnx.AttributeProto(name="perm", type=onnx.AttributeProto.INTS))
    graph = Graph.read(infer_shapes(model))
    infer(graph.nodes[0])
    graph.probe(graph.nodes[0])
    assert_same_numbers(parse(text), graph.write())


def test_names_of_unnamed_dimensions_do_not_hang_on_what_was_read_before() -> None:
    model = parse("(float[A,3] x) => (float[A,3] y) { y = Neg(x) }")
    for info in (*model.graph.input, *model.graph.output):
        info.type.tensor_type.shape.dim[0].Clear()  # ONNX's text has no way to write this
    first = Graph.read(infer_shapes(model)).write()
    assert Graph.read(infer_shapes(model)).write() == first


def test_what_was_known_of_a_shape_stays() -> None:
    """Inference over the model follows values; inference of the one node does not, and must not take it back."""
    graph = graph_of("""(float[N,4] x) => (float[N,2,2] y) <int64[2] t={2,2}>
        { n = Shape<end=1>(x) s = Concat<axis=0>(n, t) y = Reshape(x, s) }""")
    reshape = graph.nodes[-1]
    assert shape_of(reshape.outputs[0]) == ("N", 2, 2)
    infer(reshape)
    assert shape_of(reshape.outputs[0]) == ("N", 2, 2)
    assert static_shape(reshape.outputs[0]) is None


def test_graphsurgeon_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["f": 1]> m (float[3] x) => (float[3] y) { y = f.G(x) }'
    )
    Graph.read(model).write()
    assert capsys.readouterr() == ("", "")


# -------------------------------------------------------------------------------------------------------- weights


def test_weights_are_neither_read_nor_copied() -> None:
    """They stay the messages they were until a rule reads them; writing copies each once, as bytes."""
    weight = np.zeros((512, 1024), np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "m",
        [helper.make_tensor_value_info("x", 1, [2, 512])],
        [helper.make_tensor_value_info("y", 1, [2, 1024])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    read = Graph.read(model)
    tensor = read.nodes[0].inputs[1]
    held = tensor._values
    assert held.tensor is model.graph.initializer[0]
    read.probe(read.nodes[0])
    infer(read.nodes[0])
    written = read.write()
    assert tensor._values is held, "the weight was read into an array"
    assert is_constant(tensor)
    assert written.graph.initializer[0].raw_data == weight.tobytes()
    np.testing.assert_array_equal(value(tensor), weight)
    assert tensor._values is held, "reading it kept a copy"


# --------------------------------------------------------------------------------------------------------- probes


def test_equal_nodes_give_equal_probes() -> None:
    graph = graph_of("(float[N,3] x, float[M,3] z) => (float[N,3] p, float[M,3] q, float[M,3] r)"
                     " <float[3] a={1,2,3}, float[3] b={1,2,3}, float[3] c={1,2,4}>"
                     " { p = Add(x, a) q = Add(z, b) r = Add(z, c) }")  # fmt: skip
    first, second, other = (graph.probe(n).SerializeToString(deterministic=True) for n in graph.nodes)
    assert first == second
    assert first != other


def test_a_probe_is_a_model() -> None:
    graph = graph_of("(float[N,3] x) => (float[N,3] y) <float s={0.5}> { y = Clip(x, , s) }")
    probe = graph.probe(graph.nodes[0])
    onnx.checker.check_model(probe, full_check=True)
    assert list(probe.graph.node[0].input)[1] == ""
    assert [d.dim_param for d in probe.graph.input[0].type.tensor_type.shape.dim] == ["S0", ""]


def test_large_constants_enter_probes_by_shape() -> None:
    graph = graph_of("(float[2,40] x) => (float[2,40] y) { s = Constant<value_ints=[40,40]>() "
                     "k = ConstantOfShape<value=float[1]{3}>(s) y = MatMul(x, k) }")  # fmt: skip
    node = graph.nodes[-1]
    weight = graph.constant(np.full((40, 40), 3, np.float32))
    node.inputs[1] = weight
    probe = graph.probe(node)
    assert not probe.graph.initializer[0].raw_data
    onnx.checker.check_model(filled(probe, np.zeros), full_check=True)
    node.inputs[1] = graph.constant(np.full((40, 40), 4, np.float32))
    assert graph.probe(node).SerializeToString(deterministic=True) == probe.SerializeToString(deterministic=True)


def test_floats_that_no_legality_hangs_on_enter_probes_by_shape() -> None:
    def probe(array: np.ndarray) -> bytes:
        graph = graph_of("(float[40] x, float[N] z) => (float[40] y) { y = Add(x, z) }")
        graph.nodes[0].inputs[1] = graph.constant(array)
        content: bytes = graph.probe(graph.nodes[0]).SerializeToString(deterministic=True)
        return content

    ones, infinite, few = np.ones(40, np.float32), np.full(40, -np.inf, np.float32), np.ones(2, np.float32)
    assert probe(ones) == probe(2 * ones)
    assert probe(ones) != probe(infinite)
    assert probe(few) != probe(2 * few)
    assert probe(ones.astype(np.int64)) != probe(2 * ones.astype(np.int64))


def test_probe_of_a_written_model_is_the_engines() -> None:
    graph = graph_of("(float[N,3] x) => (float[N,3] y) <float[3] a={1,2,3}> { h = Add(x, a) y = Neg(h) }")
    probe = graph.probe(graph.nodes[0])
    assert probe_of(graph.write(), ["h"]).SerializeToString(deterministic=True) == probe.SerializeToString(
        deterministic=True
    )
