"""Two models that compute the same, one of them in float32 or channels first: arrays for the one as for the other.

See :mod:`rewrite.passes.run_in_float32` and :mod:`rewrite.passes.hand_over_channels_first`; where no dtype and no
layout was changed, all of this gives back what it gets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import ml_dtypes  # noqa: F401 - numpy knows bfloat16 by it
import numpy as np
import onnx
from onnx import helper

from rewrite.passes.run_in_float32 import dtypes_of
from sofie_bridge.compare import Tolerance
from sofie_bridge.samples import Array, Arrays, Sample

Reference: TypeAlias = Callable[[Arrays], Mapping[str, Array]]
_Dtypes: TypeAlias = dict[str, np.dtype[Any]]


class Ports:
    """The inputs and outputs of an exported model beside those of what rewriting made of it.

    :param layout: inputs and outputs whose axes are in another order then, by name: axis k of the rewritten model's is
        axis layout[name][k] of the exported one's.
    """

    def __init__(
        self,
        exported: onnx.ModelProto,
        rewritten: onnx.ModelProto,
        layout: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self._layout = layout or {}
        #: 16-bit floats on the way between inputs and outputs that are wider, as mixed precision has them
        self._inside = dtypes_of(exported) & {"float16", "bfloat16"}
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
        """Arrays in the exported model's dtypes and layout as the rewritten model takes them; other dtypes stay."""
        return {
            n: self._laid_out(
                n, a.astype(self._rewritten[n]) if n in self._rewritten and a.dtype == self._exported.get(n) else a
            )
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

    def exported(self, arrays: Arrays) -> dict[str, Array]:
        """Arrays in the rewritten model's dtypes and layout as the exported model takes them."""
        own = {
            n: self._laid_back(n, np.asarray(a).astype(self._exported.get(n, np.asarray(a).dtype)))
            for n, a in arrays.items()
        }
        return own | self._empty

    def asked(self, reference: Reference) -> Reference:
        """A reference in the exported model's dtypes and layout, asked and answering in the rewritten one's."""

        def ask(arrays: Arrays) -> Mapping[str, Array]:
            with np.errstate(over="ignore"):  # beyond float32, a double is infinite there
                return {
                    n: self._laid_out(
                        n, np.asarray(a).astype(self._rewritten[n]) if n in self._rewritten else np.asarray(a)
                    )
                    for n, a in reference(self.exported(arrays)).items()
                }

        return ask

    def _laid_out(self, name: str, array: Array) -> Array:
        """An array of the exported model in the rewritten one's layout; as it is if it has another rank."""
        perm = self._layout.get(name, ())
        return np.ascontiguousarray(array.transpose(perm)) if perm and len(perm) == array.ndim else array

    def _laid_back(self, name: str, array: Array) -> Array:
        perm = self._layout.get(name, ())
        return np.ascontiguousarray(array.transpose(np.argsort(perm))) if perm and len(perm) == array.ndim else array

    def in_float32(self, output: str) -> bool:
        """Does the rewritten model give that output in another dtype than the exported one?"""
        return self._rewritten.get(output) != self._exported.get(output)

    def tolerance(self, output: str, edge: str, rtol: float | None = None, atol: float | None = None) -> Tolerance:
        """What a comparison of that output is held to: the coarsest of both dtypes' tolerances, and for floats of those
        of 16 bits inside the exported model.

        :param edge: "sofie" is between the rewritten model and its header, and knows the rewritten dtype alone.
        """
        dtypes = (self._rewritten,) if edge == "sofie" else (self._exported, self._rewritten)
        found = [Tolerance.of(d[output], rtol, atol) for d in dtypes if output in d]
        if edge != "sofie" and self._rewritten[output].kind == "f":
            found += [Tolerance.of(np.dtype(name), rtol, atol) for name in self._inside]
        return max(found, key=lambda t: (t.rtol, t.atol))


def _dtypes(model: onnx.ModelProto) -> _Dtypes:
    return {
        i.name: np.dtype(helper.tensor_dtype_to_np_dtype(i.type.tensor_type.elem_type))
        for i in (*model.graph.input, *model.graph.output)
        if i.type.HasField("tensor_type")
    }
