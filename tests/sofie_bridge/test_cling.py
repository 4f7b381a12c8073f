"""Headers in ROOT's interpreter."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from in_root import in_root, needs_root

from sofie_bridge import cling

Emit = Callable[..., tuple[Path, Path]]

pytestmark = needs_root

#: A MatMul each, so that both call the BLAS.
ONE = "one (float[N,2] x) => (float[N,1] y) <float[2,1] w = {1.0, 10.0}> { y = MatMul(x, w) }"
OTHER = "other (float[1,2] x) => (float[1,1] y) <float[2,1] w = {2.0, 3.0}> { y = MatMul(x, w) }"

MACRO = """
#include "one.hxx"
void macro() {
   SOFIE_one::Session session("", 2);
   const float x[4] = {1, 2, 3, 4};
   const auto y = session.infer(2, x);
   std::cout << "answer " << y[0] << " " << y[1] << std::endl;
}
"""


def test_two_models_in_one_interpreter(emit: Emit, tmp_path: Path) -> None:
    emit(ONE, name="one")
    emit(OTHER, name="other")
    emit(ONE.replace("10.0", "20.0"), name="one", folder="again")
    told = in_root(
        """
one, other = sofie_bridge.cling.declare("one.hxx"), sofie_bridge.cling.declare("other.hxx")
assert sofie_bridge.cling.declare("one.hxx") == one
x = np.array([1, 2], np.float32)
tell("one", list(one.Session("", 1).infer(1, x)))
tell("other", list(other.Session("").infer(x)))
tell("again", error_of(lambda: sofie_bridge.cling.declare("again/one.hxx")))
ROOT.gInterpreter.Declare("int sgemm_is_free() { int sgemm_ = 3; return sgemm_; }")
tell("free", ROOT.sgemm_is_free())
""",
        tmp_path,
    )
    assert told["one"] == [21]
    assert told["other"] == [8]
    assert "holds another SOFIE_one already" in told["again"]
    assert told["free"] == 3


def test_in_a_macro(emit: Emit, tmp_path: Path) -> None:
    emit(ONE, name="one")
    root = Path(sys.executable).with_name("root")
    if not root.exists() and shutil.which("root") is None:
        pytest.skip("there is no program root")
    (tmp_path / "macro.C").write_text(cling.macro_prelude() + MACRO)
    command = [str(root) if root.exists() else "root", "-l", "-b", "-q", "macro.C"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert "answer 21 43" in done.stdout, done.stderr
