"""``--to rdf``: the functor's file, which is run before it is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from in_root import in_root, needs_root
from small_models import parse

from convert import convert
from convert.cli import main
from convert.errors import UsageError
from sofie_bridge import root_install

#: A compiled analysis: what RDataFrame's users write.
PROGRAM = """
#include "tagger_rdf.hxx"
#include <ROOT/RDataFrame.hxx>
extern "C" double run() {
   ROOT::RDataFrame empty(100);
   auto events = empty.Define("n", [](ULong64_t e) { return e % 7; }, {"rdfentry_"})
                      .Define("pt", [](ULong64_t n) { return ROOT::RVec<float>(n, 0.5f); }, {"n"})
                      .Define("eta", [](ULong64_t n) { return ROOT::RVec<float>(n, 0.25f); }, {"n"});
   auto scored = events.DefineSlot("score", sofie::TaggerFunctor(events.GetNSlots(), "tagger.dat"), {"pt", "eta"});
   return *scored.Define("s", [](const ROOT::RVec<float> &s) { return s[0] + s[1]; }, {"score"}).Sum("s");
}
"""

TAGGER = """(float[N,2,4] x, float[N,1,4] mask) => (float[N,2] y) <float[2,2] w = {1.0, -2.0, 0.5, 0.25}>
{
   axes = Constant<value_ints = [2]>()
   real = Mul(x, mask)
   sum = ReduceSum<keepdims = 0>(real, axes)
   y = MatMul(sum, w)
}
"""


@needs_root
def test_the_functor_is_run_before_it_is_written(tmp_path: Path) -> None:
    report = convert(parse(TAGGER), to="rdf", output=tmp_path / "tagger.hxx")
    assert [f.name for f in report.files] == ["tagger.hxx", "tagger.dat", "tagger_rdf.hxx"]
    stage = next(s for s in report.stages if s.name == "functor")
    assert stage.summary.startswith("sofie::TaggerFunctor of 2 columns; right")


@needs_root
@pytest.mark.sweep
def test_the_functor_in_an_analysis(tmp_path: Path) -> None:
    convert(parse(TAGGER), to="rdf", output=tmp_path / "tagger.hxx")
    (tmp_path / "program.cxx").write_text(PROGRAM)
    told = in_root(
        """
from sofie_bridge import toolchain
from pathlib import Path
sofie_bridge.cling.load_blas()
cflags = toolchain.find().blas_cflags
defines = "".join("#define {} {}\\n".format(*f[2:].split("=")) for f in cflags)
assert ROOT.gInterpreter.Declare(defines + Path("program.cxx").read_text())
tell("sum", ROOT.run())
""",
        tmp_path,
    )
    real = np.minimum(np.arange(100) % 7, 4)
    sums = np.outer(real, [0.5, 0.25]) @ np.array([[1.0, -2.0], [0.5, 0.25]])
    assert told["sum"] == pytest.approx(sums.sum(), rel=1e-5)


def test_without_root_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(root_install, "python_has_root", lambda: False)
    onnx.save(parse("(float[N,3] x) => (float[N,3] y) { y = Relu(x) }"), tmp_path / "net.onnx")
    assert main([str(tmp_path / "net.onnx"), "--to", "rdf", "--output", str(tmp_path)]) == 0
    assert "net_rdf.hxx was neither compiled nor run: ROOT is not installed" in capsys.readouterr().err
    assert "using NetFunctor = BasicNetFunctor<float, float, float>;" in (tmp_path / "net_rdf.hxx").read_text()


def test_what_no_columns_feed_is_refused(tmp_path: Path) -> None:
    model = parse("(float[N,P,Q] x) => (float[N,P,Q] y) { y = Relu(x) }")
    with pytest.raises(UsageError, match="does not tell the open sizes of x"):
        convert(model, to="rdf", output=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_least_sizes_stand_in_the_header(tmp_path: Path) -> None:
    text = """(float[1,P] x) => (float[1,3] y)
        { k = Constant<value_ints = [3]>()  y, i = TopK(x, k) }"""
    convert(parse(text), output=tmp_path / "best.hxx")
    assert "// least P: 3 " in (tmp_path / "best.hxx").read_text()
    import sofie_bridge.arrays

    events = {"x": [np.arange(n, dtype=np.float32) for n in (3, 5, 2)]}
    found = sofie_bridge.arrays.call(tmp_path / "best.hxx", events, ["x"], empty=-1)
    assert found.tolist() == [[2, 1, 0], [4, 3, 2], [-1, -1, -1]]
