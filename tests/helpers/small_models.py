"""What the tests share: models from ONNX's text, arrays for their inputs, and two models held against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx.parser
from onnx import helper
from onnx.reference import ReferenceEvaluator

from rewrite.graph import OPSET
from sofie_bridge.reference import OnnxReference

Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]


def parse(text: str, opset: int = OPSET, domains: Mapping[str, int] | None = None) -> onnx.ModelProto:
    """``(float[3] x) => (float[3] y) { y = Neg(x) }`` as a model."""
    imports = ", ".join(f'"{d}": {v}' for d, v in {"": opset, **(domains or {})}.items())
    model: onnx.ModelProto = onnx.parser.parse_model(f"<ir_version: 8, opset_import: [{imports}]> m {text}")
    return model


def arrays_for(model: onnx.ModelProto, seed: int = 0, *, size: int = 3) -> Arrays:
    """Noise for each input; small non-negative integers; symbolic dimensions are ``size``."""
    generator = np.random.default_rng(seed)
    arrays: Arrays = {}
    for info in model.graph.input:
        kind = info.type.tensor_type
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type))
        shape = [d.dim_value if d.HasField("dim_value") else size for d in kind.shape.dim]
        if dtype.kind in "iu":
            arrays[info.name] = np.asarray(generator.integers(0, 3, shape), dtype)
        else:
            arrays[info.name] = np.asarray(generator.standard_normal(shape) > 0 if dtype == np.bool_ else 0, dtype)
            if dtype != np.bool_:
                arrays[info.name] = np.asarray(generator.standard_normal(shape), dtype)
    return arrays


def evaluated(model: onnx.ModelProto, arrays: Arrays) -> Arrays:
    """Outputs by name, from ONNX's own evaluator: for what onnxruntime refuses."""
    results: Any = ReferenceEvaluator(model).run(None, dict(arrays))
    return {o.name: np.asarray(r) for o, r in zip(model.graph.output, results, strict=True)}


def assert_same_numbers(
    before: onnx.ModelProto,
    after: onnx.ModelProto,
    arrays: Arrays | None = None,
    *,
    rtol: float = 1e-6,
    atol: float = 1e-6,
) -> None:
    """Both are valid, take the same inputs, and give the same names, dtypes, shapes and numbers."""
    onnx.checker.check_model(after, full_check=True)
    arrays = arrays_for(before) if arrays is None else arrays
    assert [i.name for i in after.graph.input] == [
        i.name
        for i in before.graph.input
        if i.name in arrays and arrays[i.name].size  # those of no elements are dropped
    ]
    left = {i.name: arrays[i.name] for i in after.graph.input if i.name in arrays}
    wanted, given = OnnxReference(before)(arrays), OnnxReference(after)(left)
    assert list(given) == list(wanted)
    for name, expected in wanted.items():
        value = given[name]
        assert (value.dtype, value.shape) == (expected.dtype, expected.shape), name
        if value.dtype.kind in "iub":
            np.testing.assert_array_equal(value, expected, err_msg=name)
        else:
            a, b = value.astype(np.float64), expected.astype(np.float64)
            np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=name)


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]
