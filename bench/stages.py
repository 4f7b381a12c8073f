"""What custom operators cost: ``python bench/stages.py``; ten of them, alternating with parts that SOFIE emits.

A chain of layers (product, bias, Relu) with an operator in C++ behind each, once with layers of equal and once of
different widths: equal ones are one code. Measured are the seconds that the compiler takes, with -O3, and a call of
the staged header beside the same parts and operators called one after the other by hand, on buffers of their own, in
turns in one process; the best turn of each counts. One thread. The numbers are compared before.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1])]

#: This slows OpenBLAS down threefold where it names another processor than the one at hand.
os.environ.pop("OPENBLAS_CORETYPE", None)
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

OPERATORS = 10
ROWS = 32
#: Many short turns: other programs of the machine then spoil some of each, not all of one.
TURNS, SPAN = 200, 0.01

SCALE = """
#include <cstddef>
#include <span>
struct Scale {
   static void Compute(auto const &node, std::span<float const> x, std::span<float> y)
   {
      for (std::size_t i = 0; i < x.size(); ++i)
         y[i] = x[i] * node.attributes.by;
   }
};
"""

PROGRAM = """
#include "{header}"
#include <chrono>
namespace model = SOFIE_{name};
static model::Session session({weights});
extern "C" __attribute__((visibility("default"))) void staged(float const *x, float *y)
{{
   model::doInfer(session, x, y);
}}
{buffers}
extern "C" __attribute__((visibility("default"))) void by_hand(float const *x, float *y)
{{
{calls}
}}
template <class Call> double seconds(Call call, double span)
{{
   using clock = std::chrono::steady_clock;
   long calls = 0;
   double spent = 0;
   for (auto start = clock::now(); spent < span; spent = std::chrono::duration<double>(clock::now() - start).count())
      for (int k = 0; k < 16; ++k, ++calls)
         call();
   return spent / double(calls);
}}
extern "C" __attribute__((visibility("default"))) double measure(int which, float const *x, float *y, double span)
{{
   return which ? seconds([&] {{ by_hand(x, y); }}, span) : seconds([&] {{ staged(x, y); }}, span);
}}
"""


def widths(*, equal: bool) -> list[int]:
    return [64 if equal else 48 + 4 * k for k in range(OPERATORS + 2)]


def chain(sizes: list[int]) -> Any:
    """The model: a layer, an operator, ..., a layer."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    generator = np.random.default_rng(0)
    nodes, weights, at = [], [], "x"
    for k, (n, m) in enumerate(pairwise(sizes)):
        w = generator.standard_normal((n, m), np.float32) / np.float32(n) ** 0.5
        weights += [numpy_helper.from_array(w, f"w{k}"), numpy_helper.from_array(np.ones(m, np.float32), f"b{k}")]
        nodes += [
            helper.make_node("MatMul", [at, f"w{k}"], [f"p{k}"]),
            helper.make_node("Add", [f"p{k}", f"b{k}"], [f"a{k}"]),
            helper.make_node("Relu", [f"a{k}"], [f"r{k}" if k < OPERATORS else "y"]),
        ]
        if k < OPERATORS:
            nodes.append(helper.make_node("Scale", [f"r{k}"], [f"s{k}"], domain="bench", by=0.5))
        at = f"s{k}"
    ends = [(("x", sizes[0])), ("y", sizes[OPERATORS + 1])]
    inputs, outputs = ([helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [ROWS, m])] for n, m in ends)
    graph = helper.make_graph(nodes, "chain", inputs, outputs, weights)
    imports = [helper.make_opsetid("", 26), helper.make_opsetid("bench", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


def by_hand(header: Path, sizes: list[int]) -> tuple[str, str]:
    """The same calls as in the header, without what is around them there."""
    from sofie_bridge import signature

    texts = header.read_text().split("// --- the whole model")
    spaces = [line.split("::")[0].strip() for line in texts[1].splitlines() if "::doInfer(session.part_" in line]
    assert len(spaces) == OPERATORS + 1, signature.read(header.read_text())
    buffers, calls = [], []
    for k, space in enumerate(spaces):
        count = ROWS * sizes[k + 1]
        given, made = "x" if k == 0 else f"s{k - 1}", "y" if k == OPERATORS else f"r{k}"
        calls.append(f"   {space}::doInfer(session.part_{k}, {given}, {made});")
        if k < OPERATORS:
            buffers.append(f"alignas(64) static float r{k}[{count}], s{k}[{count}];")
            spans = f"std::span<float const>(r{k}, {count}), std::span<float>(s{k}, {count})"
            calls.append(f"   Scale::Compute(model::Node<model::Attributes_0, 1, 1>{{}}, {spans});")
    return "\n".join(buffers), "\n".join(calls)


def measure(*, equal: bool) -> None:
    import numpy as np

    from rewrite.passes.infer_shapes import infer_shapes
    from sofie_bridge import toolchain
    from sofie_bridge.reference import OnnxReference
    from sofie_bridge.sofie import Sofie
    from sofie_bridge.stages.emit import emit

    sizes = widths(equal=equal)
    model = infer_shapes(chain(sizes))
    x = np.random.default_rng(1).standard_normal((ROWS, sizes[0]), np.float32)
    expected = OnnxReference(model)({"x": x})["y"]
    with TemporaryDirectory() as name, Sofie() as sofie:
        folder = Path(name)
        emitted = emit(model, "chain", folder, sofie)
        buffers, calls = by_hand(emitted.header, sizes)
        text = PROGRAM.format(
            header=emitted.header, name="chain", weights=f'"{emitted.weights}"', buffers=buffers, calls=calls
        )
        (folder / "program.cpp").write_text(f"// {time.time_ns()}\n{text}")  # not from the cache
        start = time.perf_counter()
        library = toolchain.compile_shared(folder / "program.cpp", None, toolchain.find(), optimise="-O3")
        compiling = time.perf_counter() - start
        parts = emitted.header.read_text().count("// --- End of SOFIE inference helper functions ---")
        dll = ctypes.CDLL(str(library))
        dll.measure.restype = ctypes.c_double
        y = np.empty((ROWS, sizes[-1]), np.float32)
        at = [ctypes.c_void_p(a.ctypes.data) for a in (x, y)]
        for call in (dll.staged, dll.by_hand):
            y[:] = np.nan
            call(*at)
            assert np.allclose(y, expected, rtol=1e-4, atol=1e-5), "the numbers differ"
        best = [min(dll.measure(w, *at, ctypes.c_double(SPAN)) for _ in range(1)) for w in (0, 1)]
        for _ in range(TURNS):
            best = [min(b, dll.measure(w, *at, ctypes.c_double(SPAN))) for w, b in enumerate(best)]
    kind = "equal" if equal else "different"
    print(f"{OPERATORS} operators, layers of {kind} widths: {parts} codes of parts, compiled in {compiling:.1f} s")
    print(f"  staged {best[0] * 1e6:.2f} us a call, by hand {best[1] * 1e6:.2f} us: {best[0] / best[1] - 1:+.2%}")


def main() -> None:
    import numpy as np

    from convert.custom import custom_operator

    @custom_operator("bench::Scale", code=SCALE)
    def scale(x: Any, *, by: float) -> Any:  # noqa: ARG001 - the name is the attribute's
        return x

    scale.numpy(lambda x, *, by: x * np.float32(by))
    for equal in (False, True):
        measure(equal=equal)


if __name__ == "__main__":
    os.environ["OPENBLAS_VERBOSE"] = "2"  # prints the core whose kernels are used
    main()
