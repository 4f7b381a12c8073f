"""Declarations of custom operators: what they say, and what is refused; inference goes on behind such a node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from custom_operators import declare
from small_models import parse

from convert.custom import Counted, CustomOperator, Tensor, custom_operator, declared, declared_for
from convert.dimensions import expression
from convert.errors import BadModel, BadOperator
from converters.custom_operators import of_the_users
from converters.translations import PYTORCH, TENSORFLOW
from rewrite.api import rewrite_model
from rewrite.passes.infer_shapes import infer_shapes
from rewrite.target import Verdict


@pytest.fixture
def operators() -> Iterator[dict[str, CustomOperator]]:
    with declared_for():
        yield declare()


def inferred(text: str) -> dict[str, list[int | str]]:
    model = infer_shapes(parse(text, domains={"test": 1}))
    return {
        i.name: [d.dim_value if d.HasField("dim_value") else d.dim_param for d in i.type.tensor_type.shape.dim]
        for i in model.graph.value_info
    }


def test_inference_goes_on(operators: dict[str, CustomOperator]) -> None:
    found = inferred(
        "(float[N,6] x) => (float[K,M] y) { h = Relu(x) a, b = test.Split<at=4>(h) c = Neg(b) d, e = test.Best(c)"
        " p, m = test.Pairs(a, e) y = Abs(p) }"
    )
    assert found["b"] == ["N", 2]
    assert found["e"] == ["N"]
    assert found["p"] == ["2*N", 4]


def test_what_is_counted_has_one_name_in_a_node(operators: dict[str, CustomOperator]) -> None:
    found = inferred(
        "(float[N,6] x) => (float[K] y) { a, b = test.Positive(x) c, d = test.Positive(a) t = Cast<to=1>(d) y = Abs(t) }"
    )
    assert found["a"][0] == found["b"][0] != found["c"][0] == found["d"][0]


def test_constants_are_shown() -> None:
    with declared_for():

        @custom_operator("test::Take", code="-")
        def take(x: Any, count: Any) -> Any:
            return x.like(shape=(int(count.value), *x.shape[1:]))

        found = inferred("(float[N,6] x) => (float[K,6] y) <int64 k={3}> { a = test.Take(x, k) y = Abs(a) }")
    assert found["a"] == [3, 6]


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (lambda x, *, by: x.shape[9], "failed.*test_custom.py.*IndexError"),
        (lambda x, *, by: 3, "gives 3"),
        (lambda x, *, by: (), "gives None"),
        (lambda x, *, by: x.like(dtype="float"), "gives Tensor"),
        (lambda x, *, by: x.like(shape=(-1,)), "gives the size -1"),
        (lambda x, *, by: x.like(shape=(x.shape[0] * 0.5,)), "gives the size"),
        (lambda x: x, "the node has by"),
        (lambda x, *, by, to: x, "the node lacks to"),
        (lambda x, *, by: exit(), "SystemExit"),
    ],
)
def test_a_shape_function_that_is_wrong(shapes: Any, message: str) -> None:
    with declared_for():
        custom_operator("test::Scale", code="-")(shapes)
        with pytest.raises(BadOperator, match=f"(?s){message}"):
            inferred("(float[N,4] x) => (float[N,4] y) { a = test.Scale<by=2.0>(x) y = Neg(a) }")


def test_fewer_outputs_than_the_node_has() -> None:
    with declared_for():
        custom_operator("test::Two", code="-")(lambda x: x)
        with pytest.raises(BadOperator, match="gives 1 outputs, the node has 2"):
            inferred("(float[4] x) => (float[4] y) { a, b = test.Two(x) y = Add(a, b) }")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"operator": "Swish", "code": "-"}, "is no operator"),
        ({"operator": "test::Swish"}, "needs its C"),
        ({"operator": "test::Swish", "code": "-", "header": "a.hpp"}, "one of them"),
        ({"operator": "test::Swish", "header": "there/is/none.hpp"}, "is not there.*none.hpp"),
    ],
)
def test_a_declaration_that_is_wrong(given: dict[str, str], message: str) -> None:
    with declared_for(), pytest.raises(BadOperator, match=f"(?s){message}"):
        custom_operator(given.pop("operator"), **given)(lambda x: x)


def test_two_of_one_name_are_refused(operators: dict[str, CustomOperator]) -> None:
    with pytest.raises(BadOperator, match="is declared twice"):
        custom_operator("test::Scale", code="-")(lambda x: x)


FILE = """
from convert.custom import custom_operator
from converters.translations import tensorflow

@custom_operator("mine::Swish", code="struct Swish {};")
def swish(x, *, beta=1.0):
    return x

@tensorflow("MySwish")
def translated(g, node):
    return g.op("Swish", node.inputs, domain="mine")
"""


def test_files_are_of_one_conversion(tmp_path: Path) -> None:
    (tmp_path / "my_operators.py").write_text(FILE)
    assert "mine::Swish" not in PYTORCH
    with of_the_users([str(tmp_path / "my_operators.py")]):
        assert declared("mine", "Swish") is not None
        assert declared("", "Swish") is None
        assert "mine::Swish" in PYTORCH  # an operator of PyTorch's of that name becomes the node
        assert "MySwish" in TENSORFLOW
    assert declared("mine", "Swish") is None
    assert "mine::Swish" not in PYTORCH
    assert "MySwish" not in TENSORFLOW


@pytest.mark.parametrize(("text", "message"), [(None, "no such file"), ("raise KeyError(3)", "KeyError")])
def test_files_that_are_wrong(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong_operators.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadModel, match=message), of_the_users([str(path)]):
        pass


def test_what_a_shape_function_sees(operators: dict[str, CustomOperator]) -> None:
    x = Tensor("float32", (expression("N"), 4))
    first, second = operators["Split"].outputs([x], {"at": 3})
    assert (first.shape, second.shape) == ((expression("N"), 3), (expression("N"), 1))
    assert operators["Pairs"].attributes({"scale": 2.0}) == {"scale": 2.0, "names": ("u", "v"), "offsets": (1, 2)}
    found = operators["Positive"].outputs([x], {})[1].shape
    assert found == (Counted("M", expression("N")),)


class Only:
    """A target that takes Neg alone, and a library that has Abs."""

    name = "the fake"
    merges: frozenset[tuple[str, str]] = frozenset()

    def judge(self, probe: Any) -> Verdict:
        return Verdict(probe.graph.node[-1].op_type == "Neg", "no")

    def refuses(self, probe: Any) -> str:
        return "" if probe.graph.node[-1].op_type == "Erf" else "no kernel"


def test_a_library_is_asked_last() -> None:
    """What neither the target nor a rule takes stays, if a kernel has it."""
    text = "(float[3] x) => (float[3] y) { a = Neg(x) b = Erf(a) y = Neg(b) }"
    found = rewrite_model(parse(text), Only(), library=Only())
    assert [n.op_type for n in found.model.graph.node] == ["Neg", "Erf", "Neg"]
    assert found.kept == {"b"}
    stuck = rewrite_model(parse(text), Only(), analysis=True).stuck
    assert [s.operator for s in stuck] == ["Erf"]
