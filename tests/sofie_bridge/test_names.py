"""Names from a model never reach C++ as they are: hostile ones become identifiers, and all of them differ."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from rewrite.passes.infer_shapes import infer_shapes
from sofie_bridge.emit import emit
from sofie_bridge.header import load
from sofie_bridge.names import LONGEST, comment, distinct, identifier, symbols
from sofie_bridge.sofie import Sofie

HOSTILE = [
    "", " ", "a b", "a.b", "ab", "a/b:0", "a_b", "0", "0.weight", "class", "int", "Session", "std", "NAN", "x\n",
    'x"; system("rm"); //', "*/", "/*", "#include <x>", "x\\", "??/", "N; int x=1;", "é", "机器", "\u202e", "\0",
    "_", "__", "_x_", "x__y", "a" * 10_000, "a" * 9_999 + "b", "tensor_x", "i", "j", "id", "session", "main", "\t",
]  # fmt: skip

#: What a name may be: no reserved form (two underscores, one in front of a capital), no underscore at an end.
PLAIN = re.compile(r"[A-Za-z]([0-9A-Za-z]|_(?!_))*(?<!_)")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_become_identifiers(text: str) -> None:
    name = identifier(text)
    assert PLAIN.fullmatch(name)
    assert len(name) <= LONGEST + 2
    assert identifier(name) == name


def test_hostile_names_stay_apart() -> None:
    names = distinct(HOSTILE, taken=["x"])
    assert len({*names.values(), "x"}) == len(HOSTILE) + 1
    assert all(PLAIN.fullmatch(n) for n in names.values())
    assert names["ab"] == "ab"
    assert names["a.b"] != names["a_b"]


@given(st.lists(st.one_of(st.text(), st.text("ab_.2 "), st.sampled_from(HOSTILE))))
def test_all_names_are_distinct_identifiers(texts: list[str]) -> None:
    for names in (distinct(texts), symbols(texts)):
        assert list(names) == list(dict.fromkeys(texts))
        assert len(set(names.values())) == len(names)
        assert all(PLAIN.fullmatch(n) for n in names.values())


@given(st.lists(st.text("a_2.")), st.sets(st.text("a_2", min_size=1)))
def test_taken_names_are_not_given(texts: list[str], taken: set[str]) -> None:
    assert not set(distinct(texts, taken).values()) & taken


@pytest.mark.parametrize("local", ["i", "j", "id", "session", "dim", "n", "F", "T", "x", "std", "size_t"])
def test_symbols_do_not_hide_locals(local: str) -> None:
    assert symbols([local])[local].startswith("dim_")


@given(st.text())
def test_a_comment_stays_one_line(text: str) -> None:
    line = comment(text)
    assert len(f"// {line}".splitlines()) == 1
    assert "??/" not in line
    assert not line.endswith("\\")
    assert len(line) <= 400


def hostile_model() -> onnx.ModelProto:
    """y = relu(a W + b), z = -b; every name, size and text in it is chosen to break out of C++."""
    sizes = {"rows": "N; int x=1;", "other": "i"}
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("MatMul", ["a.b", 'w"*/'], ["h\n#include <nothing>"], name="x\\"),
        helper.make_node("Add", ["h\n#include <nothing>", "ab"], ["class"], name="x\\"),
        helper.make_node("Relu", ["class"], ["y"], name="*/ }", doc_string="*/ int z;\n#error"),
        helper.make_node("Neg", ["session"], ["??/"], name="\u202e"),
    ]
    graph = helper.make_graph(
        nodes,
        'g"; #error\n*/',
        [
            info("a.b", 1, [sizes["rows"], 3]),
            info("ab", 1, [sizes["rows"], 2]),
            info("session", 1, [sizes["other"], 2]),
        ],
        [info("y", 1, [sizes["rows"], 2]), info("??/", 1, [sizes["other"], 2])],
        [numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(3, 2) - 2, 'w"*/')],
        doc_string="*/\n#error",
    )
    return infer_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 26)], ir_version=10))


def test_a_hostile_model_compiles_and_runs(tmp_path: Path) -> None:
    with Sofie() as sofie:
        emitted = emit(hostile_model(), 'net"\n#error ; */ é.v2', tmp_path, sofie)
    names = emitted.named.tensors
    text = emitted.header.read_text()
    assert "#error" not in text
    assert "nothing>" not in text
    assert emitted.header.name == "net_error_v2.hxx"
    generator = np.random.default_rng(1)
    a, b, c = (generator.standard_normal(s).astype(np.float32) for s in ((4, 3), (4, 2), (7, 2)))
    with load(emitted.header, emitted.weights, optimise="-O0 -Wall -Wextra -Werror=shadow -Werror=comment") as header:
        got = header(**{names["a.b"]: a, names["ab"]: b, names["session"]: c})
    w = np.arange(6, dtype=np.float32).reshape(3, 2) - 2
    np.testing.assert_allclose(got[names["y"]], np.maximum(a @ w + b, 0), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(got[names["??/"]], -c)
