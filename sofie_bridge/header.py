"""Any header that SOFIE wrote, as a function of numpy arrays."""

from __future__ import annotations

import re
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from convert.errors import BadSamples, CompileFailed, RunFailed
from convert.spec import TensorSpec
from sofie_bridge import signature, sizes
from sofie_bridge import toolchain as toolchains
from sofie_bridge.library import Array, Library
from sofie_bridge.signature import Signature
from sofie_bridge.toolchain import Toolchain

#: The date of writing, and the file's name: of no concern to the compiler, and different every time.
_FIRST_LINE = re.compile(r"\A//Code generated automatically by [^\n]*\n")


@dataclass(frozen=True)
class Built:
    """A compiled header: the library, the names in the header, and the weight file that it will read ("" for none)."""

    library: Path
    names: Signature
    weights: str


def build(
    path: str | Path,
    weights: str | Path | None = None,
    *,
    toolchain: Toolchain | None = None,
    optimise: str = "-O2",
    includes: Sequence[Path] = (),
    definitions: Sequence[str] = (),
    time_limit: float = 900.0,
) -> Built:
    """Compile a header, or take it from the cache. Arguments and errors as for :func:`load`."""
    header = Path(path).absolute()
    try:
        text = _FIRST_LINE.sub("\n", header.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError as error:
        raise CompileFailed("the header cannot be read", where=str(header), why=str(error)) from error
    names = signature.read(text, str(header))
    file = str(Path(weights).absolute()) if weights is not None else _weights_beside(header, names.weights)
    source = (
        f"#define SOFIE_BRIDGE_NAMESPACE {names.namespace}\n"
        f"#define SOFIE_BRIDGE_SESSION {int(names.has_session)}\n"
        f"#define SOFIE_BRIDGE_SIZES {len(names.sizes)}\n"
    ) + files("sofie_bridge").joinpath("templates/binding.cxx").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="sofie-build-") as folder:
        Path(folder, "model.hxx").write_text(text, encoding="utf-8", errors="surrogateescape")
        binding = Path(folder, "binding.cxx")
        binding.write_text(source, encoding="utf-8")
        try:
            library = toolchains.compile_shared(
                binding,
                None,
                toolchain or toolchains.find(),
                optimise=optimise,
                definitions=definitions,
                includes=(header.parent, *includes),
                time_limit=time_limit,
            )
        except CompileFailed as error:
            found = error.finding
            why = found.why.replace(str(Path(folder, "model.hxx")), str(header))
            raise CompileFailed(found.what, where=str(header), why=why, advice=found.advice) from error
    return Built(library, names, file)


def _weights_beside(header: Path, name: str) -> str:
    """The weight file that goes with a header; "" if it reads none.

    SOFIE names it after the header's file, yet the header asks for one that is named after the model.
    """
    if not name:
        return ""
    written = header.with_suffix(Path(name).suffix)
    return str(written if written.exists() else header.parent / name)


def load(
    path: str | Path,
    weights: str | Path | None = None,
    *,
    toolchain: Toolchain | None = None,
    optimise: str = "-O2",
    dims: Mapping[str, int] | None = None,
    includes: Sequence[Path] = (),
) -> Header:
    """Compile a header that SOFIE wrote, PySofie's or ROOT's, and load it into this process.

    A header that crashes takes this process with it: :mod:`sofie_bridge.isolate` runs it in another.

    :param weights: the weight file; by default the one that the header names, beside the header.
    :param toolchain: compiler and BLAS; by default :func:`sofie_bridge.toolchain.find`.
    :param optimise: the compiler's optimisation flags.
    :param dims: largest sizes to expect of symbolic dimensions; a larger array makes the session anew.
    :param includes: folders for the header's includes, such as ROOT's.
    :raises NoCompiler: no compiler or BLAS.
    :raises CompileFailed: not a header, or one that does not compile.
    :raises RunFailed: the session cannot be made; often the weights are missing or not the header's.
    """
    return Header(build(path, weights, toolchain=toolchain, optimise=optimise, includes=includes), dims=dims)


class Header:
    """A compiled and loaded header; call it on arrays. ``with`` frees it at the end, otherwise the collector does.

    ``name`` is the model's name; ``inputs`` and ``outputs`` are :class:`convert.spec.TensorSpec`, in the header's order
    and with its names (cleaned by SOFIE). SOFIE keeps bool tensors as uint8 and scalars as one element. Where a header
    says nothing of dimensions (older versions, ``kNoSession``) a shape is ``(None,)``: flat, of unknown length.
    ``symbols`` are the names of its symbolic dimensions.
    """

    def __init__(self, built: Built, *, dims: Mapping[str, int] | None = None) -> None:
        self._built = built
        self._lock = threading.Lock()
        try:
            self._library = Library(built.library)
        except OSError as error:
            raise RunFailed("the compiled header cannot be loaded", where=built.names.name, why=str(error)) from error
        self._finalizer = weakref.finalize(self, self._library.unload)
        told, names = self._library.describe(), built.names
        if len(names.arguments) != len(told.arguments):
            raise CompileFailed("infer's arguments cannot be read", where=names.name, why=", ".join(names.arguments))
        self.name = names.name
        self._arguments = tuple(zip(names.arguments, told.arguments, strict=True))
        self.symbols = tuple(name for name, tensor in self._arguments if tensor is None)
        tensors = [(name, tensor[0]) for name, tensor in self._arguments if tensor is not None]
        self.inputs = _specs([n for n, _ in tensors], [t for _, t in tensors], told.input_dims)
        count = len(told.output_dims or names.outputs or told.output_dtypes)
        shown = names.outputs if len(names.outputs) == count else tuple(f"output_{i}" for i in range(count))
        dtypes = told.output_dtypes * count if len(told.output_dtypes) == 1 else told.output_dtypes
        self.outputs = _specs(shown, dtypes, told.output_dims)
        self._largest = {s: int((dims or {}).get(s, 0)) for s in dict.fromkeys((*self.symbols, *names.sizes))}
        self._opened = False
        if dims is not None or not names.sizes:
            self._open()

    def _open(self) -> None:
        self._opened = False
        self._library.open(self._built.weights, [self._largest[s] for s in self._built.names.sizes])
        self._opened = True

    def __call__(self, *arrays: Array, **named: Any) -> dict[str, Array]:
        """Run the model once.

        :param arrays: inputs in the header's order, of its dtypes and shapes; bool is taken for uint8.
        :param named: inputs by name; also sizes of symbolic dimensions that no input's shape tells (``N=3``).
        :returns: outputs by name, in their shapes; flat where the shape is not known.
        :raises BadSamples: what does not fit, all of it.
        :raises RunFailed: the header threw, or its output has not the size that it promises.
        """
        given = {k: int(v) for k, v in named.items() if k in self.symbols and not isinstance(v, np.ndarray)}
        inputs = self._bind(arrays, {k: v for k, v in named.items() if k not in given})
        values = _check(self.inputs, inputs, given, self.symbols)
        with self._lock:
            if not self._finalizer.alive:
                raise RunFailed("the header has been closed", where=self.name)
            if not self._opened or any(values[s] > self._largest[s] for s in self.symbols):
                self._largest.update({s: max(values[s], self._largest[s]) for s in self.symbols})
                self._open()
            results = self._library.run([self._argument(n, t, inputs, values) for n, t in self._arguments])
        if len(results) != len(self.outputs):
            what = f"the header gave {len(results)} outputs, not {len(self.outputs)}"
            raise RunFailed(what, where=self.name)
        return {s.name: self._shaped(s, r, values) for s, r in zip(self.outputs, results, strict=True)}

    def _bind(self, arrays: Sequence[Array], named: Mapping[str, Any]) -> dict[str, Array]:
        """Arrays by input name."""
        names = [spec.name for spec in self.inputs]
        if len(arrays) > len(names):
            raise BadSamples(
                f"{len(arrays)} arrays for {len(names)} inputs", where=self.name, advice=_wanted(self.inputs)
            )
        bound = dict(zip(names, arrays, strict=False))
        twice, unknown = bound.keys() & named.keys(), named.keys() - set(names)
        missing = set(names) - bound.keys() - named.keys()
        for word, wrong in (("given twice", twice), ("not an input", unknown), ("missing", missing)):
            if wrong:
                raise BadSamples(f"{word}: {', '.join(sorted(wrong))}", where=self.name, advice=_wanted(self.inputs))
        return {name: np.asarray({**bound, **named}[name]) for name in names}

    @staticmethod
    def _argument(
        name: str, tensor: tuple[str, bool] | None, inputs: Mapping[str, Array], values: Mapping[str, int]
    ) -> int | Array:
        if tensor is None:
            return values[name]
        dtype, writable = tensor
        array = np.ascontiguousarray(inputs[name]).view(np.dtype(dtype))
        # older headers take a pointer that they could write through
        return array.copy() if writable else array

    def _shaped(self, spec: TensorSpec, flat: Array, values: Mapping[str, int]) -> Array:
        shape = sizes.settle(spec.shape, values, flat.size)
        if shape is None:
            raise RunFailed(f"the header gave {flat.size} elements for the output {spec}", where=self.name)
        return flat.reshape(shape)

    def close(self) -> None:
        """Free the session and unload the library. Further calls raise RunFailed."""
        with self._lock:
            self._finalizer()

    def __enter__(self) -> Header:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _specs(
    names: Sequence[str], dtypes: Sequence[str], dims: tuple[tuple[int | str, ...], ...] | None
) -> tuple[TensorSpec, ...]:
    shapes: Sequence[tuple[int | str | None, ...]] = dims if dims is not None else [(None,)] * len(names)
    return tuple(TensorSpec(n, d, s) for n, d, s in zip(names, dtypes, shapes, strict=True))


def _wanted(inputs: Sequence[TensorSpec]) -> str:
    return "give " + ", ".join(map(str, inputs))


def _check(
    specs: Sequence[TensorSpec], inputs: Mapping[str, Array], given: Mapping[str, int], symbols: Sequence[str]
) -> dict[str, int]:
    """Hold arrays against what the header takes; the sizes of symbolic dimensions."""
    values, wrong = dict(given), list[str]()
    for spec in specs:
        array = inputs[spec.name]
        if array.dtype != np.dtype(spec.dtype) and not (spec.dtype == "uint8" and array.dtype == np.bool_):
            wrong.append(f"{spec.name} is {array.dtype}, not {spec.dtype}")
        # SOFIE has no scalars: it makes them one element
        shape = (1,) if array.shape == () and spec.shape == (1,) else array.shape
        if spec.shape == (None,):
            continue
        if len(shape) != len(spec.shape):
            wrong.append(f"{spec.name} has shape {list(array.shape)}, not {spec}")
            continue
        for want, size in zip(spec.shape, shape, strict=True):
            expected = values.setdefault(want, size) if want in symbols and isinstance(want, str) else want
            expected = sizes.evaluate(expected, values) if isinstance(expected, str) else expected
            if expected is not None and expected != size:
                wrong.append(f"{spec.name} has shape {list(array.shape)}, not {spec} with {want} = {expected}")
    unknown = [s for s in symbols if s not in values]
    wrong += [f"the size of {s} is not known: give {s}=..." for s in unknown]
    if wrong:
        raise BadSamples("the arrays do not fit the header", why="; ".join(wrong), advice=_wanted(specs))
    return values
