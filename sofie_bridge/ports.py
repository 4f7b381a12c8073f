"""Two models that compute the same, one of them in float32: arrays for the one as arrays for the other.

See :mod:`rewrite.passes.run_in_float32`; where no dtype was changed, all of this gives back what it gets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import helper

from sofie_bridge.compare import Tolerance
from sofie_bridge.samples import Array, Arrays, Sample

Reference: TypeAlias = Callable[[Arrays], Mapping[str, Array]]
_Dtypes: TypeAlias = dict[str, np.dtype[Any]]


class Ports:
    """The inputs and outputs of an exported model beside those of what rewriting made of it."""

    def __init__(self, exported: onnx.ModelProto, rewritten: onnx.ModelProto) -> None:
        self._exported = _dtypes(exported)
        self._rewritten = _dtypes(rewritten)
        #: inputs of no elements, which rewriting drops
        self._empty = {
            i.name: np.empty([d.dim_value for d in i.type.tensor_type.shape.dim], self._exported[i.name])
            for i in exported.graph.input
            if i.name not in self._rewritten
            and any(d.HasField("dim_value") and not d.dim_value for d in i.type.tensor_type.shape.dim)
        }

    def given(self, arrays: Arrays) -> dict[str, Array]:
        """Arrays in the exported model's dtypes as the rewritten model takes them; others as they are."""
        return {
            n: a.astype(self._rewritten[n]) if n in self._rewritten and a.dtype == self._exported.get(n) else a
            for n, a in ((n, np.asarray(a)) for n, a in arrays.items())
            if n not in self._empty
        }

    def rounded(self, sample: Sample) -> Sample:
        """The sample, its numbers rounded to what the exported model's dtypes hold."""
        arrays = {
            n: a.astype(self._exported.get(n, a.dtype)).astype(a.dtype) if a.dtype.kind == "f" else a
            for n, a in sample.arrays.items()
        }
        return replace(sample, arrays=arrays)

    def asked(self, reference: Reference) -> Reference:
        """A reference in the exported model's dtypes, asked and answering in the rewritten one's."""

        def ask(arrays: Arrays) -> Mapping[str, Array]:
            own = {n: np.asarray(a).astype(self._exported.get(n, np.asarray(a).dtype)) for n, a in arrays.items()}
            with np.errstate(over="ignore"):  # beyond float32, a double is infinite there
                return {
                    n: np.asarray(a).astype(self._rewritten[n]) if n in self._rewritten else np.asarray(a)
                    for n, a in reference(own | self._empty).items()
                }

        return ask

    def in_float32(self, output: str) -> bool:
        """Does the rewritten model give that output in another dtype than the exported one?"""
        return self._rewritten.get(output) != self._exported.get(output)

    def tolerance(self, output: str, edge: str, rtol: float | None = None, atol: float | None = None) -> Tolerance:
        """What a comparison of that output is held to: the coarser of both dtypes' tolerances.

        :param edge: "sofie" is between the rewritten model and its header, and knows the rewritten dtype alone.
        """
        dtypes = (self._rewritten,) if edge == "sofie" else (self._exported, self._rewritten)
        found = [Tolerance.of(d[output], rtol, atol) for d in dtypes if output in d]
        return max(found, key=lambda t: (t.rtol, t.atol))


def _dtypes(model: onnx.ModelProto) -> _Dtypes:
    return {
        i.name: np.dtype(helper.tensor_dtype_to_np_dtype(i.type.tensor_type.elem_type))
        for i in (*model.graph.input, *model.graph.output)
        if i.type.HasField("tensor_type")
    }
