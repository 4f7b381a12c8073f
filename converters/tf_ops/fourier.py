"""RFFT and what reads it: the Fourier transform of real numbers, as spectrograms have it, by a matrix.

ONNX has no complex numbers: until its real part, imaginary part or size is taken, a spectrum of m frequencies is one
tensor of 2 m real numbers.
"""

from __future__ import annotations

import numpy as np

from converters.tf_builder import Builder, TfNode
from converters.translations import tensorflow

#: Who may read a spectrum.
_READERS = {"Real", "Imag", "ComplexAbs"}


@tensorflow("RFFT")
def rfft(g: Builder, node: TfNode) -> str:
    """y[k] = sum over t of x[t] exp(-2 pi i k t / n): [Re y, Im y] = x [cos, -sin]"""
    x, given = node.inputs
    length, shape = node.value(given), node.shape(x)
    if length is None or shape is None or shape[-1] is None:
        raise NotImplementedError("a Fourier transform of a length that is known at run time only")
    others = {name for name, _ in node.readers(node.outputs[0])} - _READERS
    if others:
        raise NotImplementedError(f"complex numbers, which ONNX has not, go into {', '.join(sorted(others))}")
    size, n = shape[-1], int(length.reshape(-1)[0])
    # beyond n, TensorFlow cuts off; the angle is of k t modulo n, which float64 has exactly
    angles = 2 * np.pi * (np.outer(np.arange(size), np.arange(n // 2 + 1)) % n) / n
    kept = (np.arange(size) < n)[:, None]
    matrix = np.concatenate([np.cos(angles) * kept, -np.sin(angles) * kept], axis=1)
    return str(g.MatMul(x, g.constant(matrix, like=x)))


@tensorflow("Real", "Imag", "ComplexAbs")
def part(g: Builder, node: TfNode) -> str:
    """Re y; Im y; sqrt(Re y^2 + Im y^2)"""
    y = node.inputs[0]
    real, imaginary = _parts(g, node, y)
    if node.operator == "ComplexAbs":
        return str(g.Sqrt(g.Add(g.Mul(real, real), g.Mul(imaginary, imaginary))))
    return real if node.operator == "Real" else imaginary


def _parts(g: Builder, node: TfNode, spectrum: str) -> tuple[str, str]:
    # the translation's result stands behind an Identity
    behind = node.producer(spectrum)
    made = node.producer(behind.inputs[0]) if behind is not None and behind.operator == "Identity" else None
    shape = node.shape(spectrum)
    if made is None or made.operator != "MatMul" or shape is None or shape[-1] is None:
        raise NotImplementedError(
            "complex numbers, which ONNX has not, of another origin than a transform of real ones"
        )
    size = shape[-1]
    axis, places = g.constant(np.array([-1])), [g.constant(np.array([k * size])) for k in range(3)]
    return tuple(str(g.Slice(made.outputs[0], places[k], places[k + 1], axis)) for k in range(2))  # type: ignore[return-value]
