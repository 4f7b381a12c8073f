"""Headers of several stages: their numbers, their interface, their weights."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from small_models import Arrays, arrays_for
from staged_models import BLOCKS, COUNTED, EVERYWHERE, TWO_DTYPES

from convert.custom import CustomOperator, custom_operator
from convert.errors import BadOperator, EmitError, RunFailed
from sofie_bridge import toolchain
from sofie_bridge.emit import Emitted, Weights
from sofie_bridge.header import load
from sofie_bridge.reference import OnnxReference
from sofie_bridge.stages.reference import unverified

Staged = Callable[..., tuple[onnx.ModelProto, Emitted]]


def answers(emitted: Emitted, arrays: Arrays) -> Arrays:
    """The header's, by ONNX name."""
    names = emitted.named.tensors
    back = {c: n for n, c in names.items()}
    with load(emitted.header, emitted.weights, optimise="-O0", includes=emitted.includes) as header:
        return {back[c]: a for c, a in header(**{names[n]: a for n, a in arrays.items()}).items()}


def assert_right(model: onnx.ModelProto, emitted: Emitted, *, size: int = 5) -> Arrays:
    arrays = arrays_for(model, size=size)
    given, expected = answers(emitted, arrays), OnnxReference(model)(arrays)
    assert list(given) == [o.name for o in model.graph.output]
    for name, array in expected.items():
        assert given[name].shape == array.shape
        np.testing.assert_allclose(given[name], array, rtol=1e-5, atol=1e-6, err_msg=name)
    return given


@pytest.mark.parametrize("text", [EVERYWHERE, TWO_DTYPES, COUNTED], ids=["everywhere", "two dtypes", "counted"])
def test_numbers(text: str, staged: Staged) -> None:
    given = assert_right(*staged(text))
    assert all(a.size for a in given.values())


def test_the_table_of_outputs_is_in_what_infer_is_given(staged: Staged) -> None:
    _, emitted = staged(TWO_DTYPES)
    with load(emitted.header, optimise="-O0") as header:
        assert [str(s) for s in header.inputs] == ["x:float32[N,6]"]
        shown = ["y:float32[2 * N,4]", "at:int64[N]", "mask:uint8[N]", "top:float32[N]"]
        assert [str(s) for s in header.outputs] == shown
        header._library.open(str(emitted.weights), [3])
        with pytest.raises(RunFailed, match="exceeds the initialized maximum"):
            header._library.run([4, np.zeros((4, 6), np.float32)])
    assert "hasDynamicInputTensors{true}" in emitted.header.read_text()


@pytest.mark.parametrize(("weights", "codes"), [("file", 1), ("embed", 2)])
def test_parts_of_one_structure_are_one_code(weights: Weights, codes: int, staged: Staged) -> None:
    """Their weights differ, so written into the code there are two."""
    model, emitted = staged(BLOCKS, weights=weights)
    assert emitted.header.read_text().count("#ifndef SOFIE_NET_PART") == codes
    assert (emitted.weights is None) == (weights == "embed")
    assert_right(model, emitted)
    if emitted.weights is not None:
        assert_no_other_weights(emitted, emitted.weights.read_bytes())


def assert_no_other_weights(emitted: Emitted, right: bytes) -> None:
    for content in (b"", right[:-1], right.replace(b"part_0", b"part_9")):
        other = emitted.header.with_name("other.safetensors")
        other.write_bytes(content)
        with pytest.raises(RunFailed, match="not the one that was made with this header"):
            load(emitted.header, other, optimise="-O0")


def test_a_part_that_is_alone_keeps_its_names(staged: Staged) -> None:
    _, emitted = staged(COUNTED)
    assert "tensor_r" in emitted.header.read_text()


def test_weights_in_a_root_file_are_refused(staged: Staged) -> None:
    with pytest.raises(EmitError, match="no ROOT file"):
        staged(BLOCKS, weights="root")


PROGRAM = """
#include "one.hxx"
#include "two.hxx"
int other();
int main()
{
   SOFIE_one::Session one("one.safetensors");
   SOFIE_two::Session two("two.safetensors", 3);
   float x[12] = {1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6};
   return one.infer(x).size() == 6 && two.infer(3, x, x).size() == 3 && other() == 6 ? 0 : 1;
}
"""
OTHER = """
#include "two.hxx"
#include "one.hxx"
int other()
{
   SOFIE_one::Session one("one.safetensors");
   float x[6] = {};
   return int(one.infer(x).size());
}
"""
THREE = """(float[N,2] x, float[N,2] z) => (float[N,2] y, float[N,2] a, float[N,2] b)
    { c = test.Scale<by=2.0>(x) y = Add(c, z) a = Neg(y) b = Relu(a) }"""


def test_two_models_in_two_files_of_one_program(staged: Staged, tmp_path: Path) -> None:
    """They share an operator, and each is included twice."""
    staged(BLOCKS, "one")
    staged(THREE, "two")
    (tmp_path / "main.cpp").write_text(PROGRAM)
    (tmp_path / "other.cpp").write_text(OTHER)
    found = toolchain.find()
    flags = ["-std=c++20", "-O0", *found.blas_cflags, "main.cpp", "other.cpp", "-o", "program", *found.blas_ldflags]
    built = subprocess.run([*found.command, *flags], cwd=tmp_path, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert subprocess.run(["./program"], cwd=tmp_path).returncode == 0


def test_cpp_in_a_file_is_included_or_written_into_the_header(
    staged: Staged, operators: dict[str, CustomOperator], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / "inner").mkdir(parents=True)
    (home / "inner" / "more.hpp").write_text("#pragma once\n#include <cstddef>\n")
    code = operators["Scale"].code
    operators["Scale"].header, operators["Scale"].code = home / "scale.hpp", ""
    (home / "scale.hpp").write_text(f'#pragma once\n#include "inner/more.hpp"\n{code}')
    _, emitted = staged(BLOCKS, "included")
    assert '#include "scale.hpp"' in emitted.header.read_text()
    assert {str(p) for p in emitted.beside} == {"scale.hpp", "inner/more.hpp"}
    assert emitted.includes == (home,)
    _, emitted = staged(BLOCKS, "inlined", inline=True)
    text = emitted.header.read_text()
    assert "scale.hpp" in text
    assert '#include "' not in text
    assert "#pragma once" not in text
    assert not emitted.beside


def test_two_of_one_name_in_cpp_are_refused(staged: Staged, operators: dict[str, CustomOperator]) -> None:
    custom_operator("other::Scale", code=operators["Scale"].code + "// other")(lambda x: x)
    text = "(float[2] x) => (float[2] y) { a = test.Scale<by=2.0>(x) y = other.Scale(a) }"
    with pytest.raises(BadOperator, match="two operators are called Scale"):
        staged(text, domains={"other": 1})


def test_an_operator_without_numpy_stands_for_itself(staged: Staged, operators: dict[str, CustomOperator]) -> None:
    """What is around it is judged by onnxruntime all the same."""
    operators["Scale"].reference = None
    model, emitted = staged(BLOCKS)
    assert unverified(model) == ["test::Scale"]
    assert OnnxReference(model).name == "onnxruntime and the operators' own C++"
    assert_right(model, emitted)
