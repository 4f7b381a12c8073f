"""LabelEncoder of ai.onnx.ml, between numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.custom import Tensor
from sofie_bridge.stages.library import Answer, Given, Gives, case, kernel, refuse

_INTS = "keys_int64s=[5, 1, 3, 1], values_floats=[0.5, 1.5, 2.5, 9.0]"


@kernel(
    "ai.onnx.ml.LabelEncoder",
    cases=[
        case(
            f"(int64[2,N] x) => (float[2,N] y) {{ y = ai.onnx.ml.LabelEncoder<{_INTS}, default_float=-7.0>(x) }}",
            {"x": [[5, 1, 3, 0, 4], [-1, 3, 3, 5, 6]]},
        ),
        case(f"(int64[N] x) => (float[N] y) {{ a = ai.onnx.ml.LabelEncoder<{_INTS}>(x) y = Neg(a) }}"),
        case(
            "(float[4] x) => (int64[4] y)"
            "{ y = ai.onnx.ml.LabelEncoder<keys_floats=[0.5, -1.25], values_int64s=[7, -8]>(x) }",
            {"x": [0.5, -1.25, 3, 0.5]},
        ),
        case(
            "(int64[4] x) => (int64[4] y)"
            "{ y = ai.onnx.ml.LabelEncoder<keys_tensor=int64[2] {3, 2}, values_tensor=int64[2] {30, 20},"
            " default_tensor=int64[1] {-3}>(x) }",
            {"x": [1, 2, 3, 4]},
        ),
    ],
)
def label_encoder(given: Given) -> Answer:
    """y = the value of the key that x is, or else the default"""
    x, kind = given.tensor(0), given.outputs[0]
    assert kind is not None
    keys, values = _listed(given, "keys"), _listed(given, "values")
    if keys is None or values is None:
        return refuse("its keys or its values are text")
    if keys.size != values.size or not keys.size:
        return refuse(f"it has {keys.size} keys and {values.size} values")
    held = given.attributes
    default = held.get("default_tensor", held.get("default_float" if kind.dtype == "float32" else "default_int64"))
    plain = -0.0 if np.dtype(kind.dtype).kind == "f" else -1
    keys, first = np.unique(keys.astype(x.dtype), return_index=True)  # of equal keys the first counts
    attributes = {
        "keys": keys,
        "values": values.astype(kind.dtype)[first],
        "other": np.array([plain if default is None else np.asarray(default).item()], kind.dtype),
    }
    return Gives((Tensor(kind.dtype, x.shape),), attributes)


def _listed(given: Given, name: str) -> np.ndarray[Any, np.dtype[Any]] | None:
    held = given.attributes
    for ending in ("tensor", "int64s", "floats"):
        if f"{name}_{ending}" in held:
            dtype = {"int64s": np.int64, "floats": np.float32}.get(ending)
            found = np.asarray(held[f"{name}_{ending}"], dtype)
            return found.ravel() if found.dtype.kind in "if" else None
    return None
