"""JAX's own answers, by the names of the exported model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from convert.errors import BadSamples
from converters.jax_calls import Call
from converters.jax_tracing import Flat, precise
from converters.quiet import Attempt, quietly, reason

if TYPE_CHECKING:
    import numpy as np

    from converters.base import Arrays


@dataclass(eq=False)
class JaxReference:
    """The model's forward pass in evaluation mode, on the CPU, with matrix products in full float32.

    :param name: "jax 0.10.2". :param outputs: names, in order.
    """

    name: str
    model: Flat
    call: Call
    outputs: Sequence[str]

    #: XLA's code for CPUs takes subnormal numbers for zeros.
    flushes = True

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray[Any, Any]]:
        """Arrays by ONNX input name → arrays by ONNX output name.

        :raises BadSamples: the model does not take them.
        """
        import numpy as np

        sizes = {
            name: size
            for spec in self.call.specs if spec.name in inputs
            for name, size in zip(spec.shape, inputs[spec.name].shape, strict=False)
        }  # fmt: skip
        shapes = self.call.sized({name: sizes.get(name, 1) for name in self.call.symbols})
        with quietly(), Attempt() as attempt, precise():
            # Inputs that the model does not use are none of the ONNX model's.
            arrays = [inputs[n] if n in inputs else np.zeros(s.shape, s.dtype)
                      for n, s in zip(self.call.names, shapes, strict=True)]  # fmt: skip
            found = self._compiled(self.model.leaves, *arrays)
            return {name: np.asarray(array) for name, array in zip(self.outputs, found, strict=True)}
        raise BadSamples("JAX cannot run these inputs", why=reason(attempt.error)) from attempt.error

    @cached_property
    def _compiled(self) -> Callable[..., Sequence[Any]]:
        import jax

        compiled: Callable[..., Sequence[Any]] = jax.jit(self.model.run)
        return compiled
