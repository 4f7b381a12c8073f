"""Headers as columns of RDataFrame, against the same headers on arrays."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from in_root import in_root, needs_root

import sofie_bridge
from convert.errors import Mismatch, MissingPackage
from sofie_bridge import toolchain
from sofie_bridge.columns import Layout
from sofie_bridge.header import build
from sofie_bridge.interface import Interface
from sofie_bridge.layout import default
from sofie_bridge.library import Array
from sofie_bridge.padding import Table
from sofie_bridge.rdf import check as functor_check
from sofie_bridge.rdf.functor import functor_text
from sofie_bridge.rdf.types import dtype_of

Emit = Callable[..., tuple[Path, Path]]

pytestmark = needs_root

TWO = """two (float[N,3] x) => (float[N,2] y, float[N,1] s)
<float[3,2] w = {1.0, -2.0, 0.5, 0.25, 3.0, -1.0}> { y = MatMul(x, w)  t = ReduceSum<keepdims = 1>(y, axes)  s = Sigmoid(t) }"""
#: The axes of ReduceSum are an input; a constant of the graph's own.
TWO = TWO.replace("{ y = MatMul", "{ axes = Constant<value_ints = [1]>()  y = MatMul")
NET = """net (float[N,2,P] points, float[N,1,P] mask) => (float[N,2] y)
{ axes = Constant<value_ints = [2]>()  m = Mul(points, mask)  sum = ReduceSum<keepdims = 0>(m, axes)  y = Tanh(sum) }"""

EVENTS = """
random = np.random.default_rng(1)
x = random.standard_normal((500, 3)).astype(np.float32)
ROOT.EnableImplicitMT(2)
df = ROOT.RDF.FromNumpy({**{n: x[:, k].copy() for k, n in enumerate("abc")}, "event": np.arange(500)})
expected = sofie_bridge.load("two.hxx")(x)
"""


def test_on_two_threads_with_snapshot_batches_and_errors(emit: Emit, tmp_path: Path) -> None:
    emit(TWO, name="two")
    told = in_root(
        EVENTS
        + """
scored = rdf.define(df.Filter("event % 5 != 0"), "score", "two.hxx", ["a", "b", "c"], through="cling")
tell("columns", sorted(str(c) for c in scored.GetColumnNames()))
tell("types", [str(scored.GetColumnType(c)) for c in ("score_y", "score_s")])
keep = np.arange(500) % 5 != 0
y, s = in_order(scored, "score_y", "score_s")
tell("plain", max(abs(y - expected["y"][keep]).max(), abs(s - expected["s"][keep, 0]).max()))
scored.Snapshot("events", "scored.root")
y, s = in_order(ROOT.RDataFrame("events", "scored.root"), "score_y", "score_s")
tell("snapshot", max(abs(y - expected["y"][keep]).max(), abs(s - expected["s"][keep, 0]).max()))
batched = rdf.define(df, ["y", "s"], "two.hxx", ["a", "b", "c"], batch=64, key=["event"], through="cling")
y, s = in_order(batched, "y", "s")
tell("batched", max(abs(y - expected["y"]).max(), abs(s - expected["s"][:, 0]).max()))
df = df.Define("one", "1").Define("text", 'std::string("t")').Define("many", "ROOT::RVec<float>{a, b}")
tell("missing", error_of(lambda: rdf.define(df, "new", "two.hxx", ["a", "bb", "text"])))
tell("count", error_of(lambda: rdf.define(df, "new", "two.hxx", ["a", "b"])))
tell("mixed", error_of(lambda: rdf.define(df, "new", "two.hxx", ["a", "b", "many"])))
tell("taken", error_of(lambda: rdf.define(df, ["a", "a"], "two.hxx", ["a", "b", "c"])))
tell("names", error_of(lambda: rdf.define(df, ["i", "j", "k"], "two.hxx", ["a", "b", "c"])))
tell("no key", error_of(lambda: rdf.define(df, "new", "two.hxx", ["a", "b", "c"], batch=64)))
tell("key", error_of(lambda: rdf.define(df, "new", "two.hxx", ["a", "b", "c"], batch=64, key=["a", "many"])))
same = lambda: rdf.define(df.Redefine("event", "Long64_t(event / 2)"), "new", "two.hxx", ["a", "b", "c"], batch=64, key=["event"])
tell("same key", error_of(same))
""",
        tmp_path,
    )
    assert told["columns"] == ["a", "b", "c", "event", "score_s", "score_y"]
    assert told["types"] == ["ROOT::VecOps::RVec<float>", "float"]
    assert max(told["plain"], told["snapshot"], told["batched"]) < 1e-6
    assert "no column bb" in told["missing"]
    assert "text is string" in told["missing"].replace("std::", "").replace("__cxx11::", "").replace("basic_", "")
    assert "2 columns of one number for x" in told["count"]
    assert "many is ROOT::VecOps::RVec<float>" in told["mixed"]
    assert "a column a already" in told["taken"]
    assert "a is given twice" in told["taken"]
    assert "3 names for the outputs" in told["names"]
    assert 'key=["run", "event"]' in told["no key"]
    assert told["key"].count("a key is made of single whole numbers") == 2
    assert "two events have the same key" in told["same key"]


def test_lists_with_a_mask_through_cling_and_one_number_an_output(emit: Emit, tmp_path: Path) -> None:
    emit(NET, name="net")
    told = in_root(
        """
ROOT.EnableImplicitMT(2)
df = ROOT.RDataFrame(300).Define("event", "rdfentry_").Define("n", "int((event * 7) % 9)")
df = df.Define("px", "ROOT::RVec<double> v(n); for (int i = 0; i < n; ++i) v[i] = 0.01 * (event + i); return v;")
df = df.Define("py", "ROOT::RVec<float>(px.begin(), px.end()) * 0.5f")
scored = rdf.define(df, ["first", "second"], "net.hxx", ["px", "py"], through="cling")
tell("types", [str(scored.GetColumnType(c)) for c in ("first", "second")])
first, second, n = in_order(scored, "first", "second", "n")
want = [np.tanh(sum(0.01 * (e + i) for i in range((e * 7) % 9))) for e in range(300)]
tell("first", abs(first - want).max())
half = [np.tanh(sum(0.005 * (e + i) for i in range((e * 7) % 9))) for e in range(300)]
tell("second", abs(second - half).max())
wrong = rdf.define(df.Redefine("py", "ROOT::RVec<float>(n + 1)"), ["first", "second"], "net.hxx", ["px", "py"], through="cling")
try:
    wrong.Sum("first").GetValue()
except Exception as error:
    tell("lengths", str(error))
tell("no batch", error_of(lambda: rdf.define(df, "new", "net.hxx", ["px", "py"], batch=0)))
""",
        tmp_path,
    )
    assert told["types"] == ["float", "float"]
    assert max(told["first"], told["second"]) < 1e-6
    assert "lists are of different lengths" in told["lengths"]
    assert "batch=0" in told["no batch"]


def test_other_numbers_than_the_header_s_are_found_out(emit: Emit, monkeypatch: pytest.MonkeyPatch) -> None:
    _, header = emit(TWO, name="two")
    layout = default(Interface.of(build(header), header))

    def run(layout: Layout, table: Table, *_: object) -> list[list[Array]]:
        with sofie_bridge.load(header) as loaded:
            answers = functor_check.expected(layout, table, loaded)
        answers[0][7] = answers[0][7] + np.float32(0.01)
        answers[1][9] = np.append(answers[1][9], np.float32(0))
        return answers

    monkeypatch.setattr(functor_check, "_run", run)
    monkeypatch.setattr(functor_check, "compile_functor", lambda *_: Path())
    with pytest.raises(Mismatch) as caught:
        functor_check.check(layout, header, header, None, toolchain.find())
    for words in ("0.01, at event 7, output y", "shape [2] instead of [1], at event 9, output s"):
        assert words in str(caught.value)


@pytest.mark.sweep
def test_a_functor_with_another_order_of_columns_is_found_out(emit: Emit, tmp_path: Path) -> None:
    _, header = emit(TWO, name="two")
    compiler = toolchain.find()
    if compiler.family == "zig":
        pytest.skip("ROOT's libraries want g++ or clang++")
    layout = default(Interface.of(build(header), header))
    file = tmp_path / "two_rdf.hxx"
    text = functor_text(layout, header.name)
    file.write_text(text)
    assert functor_check.check(layout, file, header, None, compiler) > 0
    swapped = text.replace("std::get<0>(columns)", "std::get<1>(columns)")
    assert swapped != text
    file.write_text(swapped)
    with pytest.raises(Mismatch, match="the functor's numbers are not the header's"):
        functor_check.check(layout, file, header, None, compiler)


def test_no_lock(emit: Emit) -> None:
    _, header = emit(TWO, name="two")
    text = functor_text(default(Interface.of(build(header), header)), header.name)
    code = text.partition("#ifndef")[2]
    assert re.findall(r"\b(?:\w*mutex|\w*lock_\w*|atomic\w*|thread_local|static)\b", code) == []


@pytest.mark.parametrize(
    ("cpp", "expected"),
    [
        ("Float_t", ("float32", False)),
        ("ROOT::VecOps::RVec<double>", ("float64", True)),
        ("vector<unsigned char>", ("uint8", True)),
        ("std::vector<int, std::allocator<int> >", ("int32", True)),
        ("ROOT::VecOps::RVec<ROOT::VecOps::RVec<float>>", None),
        ("TLorentzVector", None),
    ],
)
def test_types_of_columns(cpp: str, expected: tuple[str, bool] | None) -> None:
    assert dtype_of(cpp) == expected


def test_without_root(emit: Emit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ROOT", None)
    from sofie_bridge import rdf

    with pytest.raises(MissingPackage, match=r"pip install .*root==0\.1a12"):
        rdf.define(None, "score", "two.hxx", ["a"])
    _, header = emit(TWO, name="two")
    assert sofie_bridge.load(header)(np.zeros((1, 3), np.float32))["y"].tolist() == [[0, 0]]
