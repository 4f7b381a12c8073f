"""The library's kernels: every case of every kernel in one build, held against onnxruntime."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pages
import pytest
from kernel_cases import all_cases, differences, model_of, piece_of, refusal_of

from rewrite.unsupported import unsupported
from sofie_bridge import signature, toolchain
from sofie_bridge.batch import Piece, run_pieces
from sofie_bridge.emit import Emitted
from sofie_bridge.sofie import Sofie
from sofie_bridge.stages.attributes import number
from sofie_bridge.stages.emit import emit
from sofie_bridge.stages.kernel import CPP_TYPES
from sofie_bridge.stages.library import kernel, library
from sofie_bridge.stages.library_table import table

CASES = {name: (entry, case_) for name, entry, case_ in all_cases()}


@pytest.mark.parametrize("name", [n for n, (_, c) in CASES.items() if c.refuses])
def test_refusals(name: str) -> None:
    assert CASES[name][1].refuses in refusal_of(*CASES[name])


def test_numbers() -> None:
    """All in a few translation units: each alone would compile for seconds."""
    taken = {n: c for n, (_, c) in CASES.items() if not c.refuses}
    wrong = [n for n in taken if refusal_of(*CASES[n])]
    with Sofie() as sofie:
        for piece, ran in run_pieces([piece_of(n, c) for n, c in taken.items()], sofie, toolchain.find()):
            found = differences(piece, ran.outputs) if ran.outcome == "ran" else [f"{ran.outcome}: {ran.words[:400]}"]
            wrong += [f"{piece.name}: {line}" for line in found]
    assert not wrong, "\n".join(wrong)


_FLAGS = ("-std=c++20", "-O1", "-g", "-w", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_DEFINED = ("-DSOFIE_CHECK_OPERATORS", "-D_GLIBCXX_ASSERTIONS")


def call_of(piece: Piece, emitted: Emitted) -> str:
    """C++ that makes a session and calls it on each sample."""
    names, lines = signature.read(emitted.header.read_text()), []
    tensors = {c: n for n, c in emitted.named.tensors.items()}
    dims = {
        emitted.named.symbols[d.dim_param]: (i.name, axis)
        for i in piece.model.graph.input
        for axis, d in enumerate(i.type.tensor_type.shape.dim)
        if d.dim_param
    }
    for sample in piece.samples:
        sizes = {c: sample[n].shape[axis] for c, (n, axis) in dims.items()}
        held, given = [], []
        for argument in names.arguments:
            if argument in sizes:
                given.append(str(sizes[argument]))
                continue
            array = sample[tensors[argument]]
            kind = CPP_TYPES[str(array.dtype)]
            held.append(f"std::vector<{kind}> {argument}{{{', '.join(number(v) for v in array.ravel())}}};")
            given.append(f"{argument}.data()")
        made = ", ".join(['""', *(str(sizes[s]) for s in names.sizes)])
        lines.append(
            f"{{ {' '.join(held)} {names.namespace}::Session session_({made}); session_.infer({', '.join(given)}); }}"
        )
    return "\n".join(lines)


@pytest.mark.sweep
def test_addresses_and_undefined_behaviour(tmp_path: Path) -> None:
    found = toolchain.find()
    (tmp_path / "main.cpp").write_text("int main() { return 0; }")
    command = [*found.command, *_FLAGS, *_DEFINED, *found.blas_cflags, "main.cpp", "-o", "program", *found.blas_ldflags]
    if subprocess.run(command, cwd=tmp_path, capture_output=True).returncode != 0:
        pytest.skip("the compiler has no sanitizers")
    pieces = [piece_of(n, c) for n, (_, c) in CASES.items() if not c.refuses]
    with Sofie() as sofie:
        headers = [(p, emit(p.model, p.name, tmp_path, sofie, weights="embed")) for p in pieces]
    includes = "\n".join(f'#include "{e.header.name}"' for _, e in headers)
    calls = "\n".join(call_of(p, e) for p, e in headers)
    (tmp_path / "main.cpp").write_text(f"{includes}\nint main()\n{{\n{calls}\n}}\n")
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[:4000]
    ran = subprocess.run(["./program"], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[:4000]


def test_every_kernel_has_its_files_and_a_meaning() -> None:
    assert len(library()) >= 10
    for entry in library().values():
        assert entry.header.is_file()
        assert f"struct {entry.name} {{" in entry.header.read_text()
        assert any(not c.refuses for c in entry.cases)
        assert any(n.op_type == entry.name for n in model_of(entry.cases[0]).graph.node)


def test_a_second_kernel_for_an_operator_is_refused() -> None:
    library()
    entry = library()["NonZero"]
    with pytest.raises(ValueError, match="already"):
        kernel("NonZero", cases=entry.cases)(entry.body)
    with pytest.raises(ValueError, match="at least one case"):
        kernel("Other", cases=[])(entry.body)


def test_what_is_known_of_an_operator_does_not_stand_against_its_kernel() -> None:
    """An error about a node that its kernel refuses says what stands against the operator as such."""
    assert all(unsupported(n) is None or not unsupported(n).always for n in library())  # type: ignore[union-attr]


def test_the_page_has_the_table() -> None:
    assert f"prints -->\n{table()}<!-- end -->" in pages.page("kernels.md"), (
        "python -m sofie_bridge.stages.library_table"
    )
