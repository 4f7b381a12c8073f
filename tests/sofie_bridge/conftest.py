"""Headers to test on: SOFIE's own, made in a child process, and small ones written by hand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import onnx.parser
import pytest

_EMIT = """
import sys, sofie, sofie.onnx
model = sofie.onnx.parse(sys.argv[1])
model.generate(options=getattr(sofie.Options, sys.argv[3]) if sys.argv[3] != "3" else sofie.Options(3))
model.output_generated(sys.argv[2])
"""

Emit = Callable[..., tuple[Path, Path]]
Write = Callable[..., Path]


@pytest.fixture
def emit(tmp_path: Path) -> Emit:
    """``emit(text, options, name=..., folder=...)``: the ONNX model of ``text`` and its header."""

    def make(text: str, options: str = "kNoWeightFile", *, name: str = "model", folder: str = ".") -> tuple[Path, Path]:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        model, header = place / f"{name}.onnx", place / f"{name}.hxx"
        onnx.save(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> {text}'), model)
        subprocess.run([sys.executable, "-c", _EMIT, model, header, options], check=True, capture_output=True)
        return model, header

    return make


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(body, ...)``: a header whose ``infer`` of one float tensor ``x`` of two elements has that body."""

    def make(body: str, members: str = "", constructor: str = "") -> Path:
        path = tmp_path / "hand.hxx"
        path.write_text(f"""
#include <array>
#include <cstddef>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>
namespace SOFIE_hand {{
struct SingleDim {{ std::size_t dim; const char *name = ""; }};
struct TensorDims {{ const SingleDim *data; std::size_t size; }};
constexpr TensorDims makeDims(std::array<SingleDim, 1> const &dims) {{ return {{dims.data(), 1}}; }}
struct Session {{
{members}
Session(std::string = "") {{ {constructor} }}
std::vector<float> infer(float const* tensor_x) {{ {body} }}
}};
constexpr std::array<SingleDim, 1> dim_x{{SingleDim{{2}}}};
constexpr std::array<TensorDims, 1> inputTensorDims{{makeDims(dim_x)}};
constexpr std::array<SingleDim, 1> dim_y{{SingleDim{{2}}}};
constexpr std::array<TensorDims, 1> outputTensorDims{{makeDims(dim_y)}};
}}
""")
        return path

    return make
