"""What a header's ``infer`` takes and gives, by name, dtype and dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from convert.errors import CompileFailed
from convert.spec import TensorSpec
from sofie_bridge import least, signature
from sofie_bridge.header import Built, Header
from sofie_bridge.signature import Signature


@dataclass(frozen=True)
class Interface:
    """A header seen from outside.

    :param names: what its text says.
    :param inputs: by C++ name, in the order of ``infer``.
    :param outputs: likewise; sizes may be expressions of symbols.
    :param least: by symbol the least size that the model runs with, where that is known and not 1.
    """

    names: Signature
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    least: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Symbolic dimensions that ``infer`` takes, in its order."""
        tensors = {spec.name for spec in self.inputs}
        return tuple(a for a in self.names.arguments if a not in tensors)

    @classmethod
    def of_text(
        cls, text: str, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], least: Mapping[str, int]
    ) -> Interface:
        """Of a header's text and the dtypes and dimensions that it is known to have, in any order.

        :raises CompileFailed: ``text`` is no header of SOFIE's.
        """
        names = signature.read(text)
        position = {name: k for k, name in enumerate(names.arguments)}
        ordered = sorted(inputs, key=lambda spec: position.get(spec.name, len(position)))
        return cls(names, tuple(map(_stored, ordered)), tuple(map(_stored, outputs)), least)

    @classmethod
    def of(cls, built: Built, header: str | Path) -> Interface:
        """Of a compiled header. :param header: its file, whose comment says what compiled code cannot.

        :raises CompileFailed: it has no ``Session``, or is too old to say its dimensions.
        :raises RunFailed: its session cannot be made.
        """
        if not built.names.has_session:
            raise CompileFailed(
                "the header has no Session",
                where=built.names.namespace,
                why="it was generated with kNoSession: its infer is a free function, of one set of buffers for all",
                advice="generate it again without that option",
            )
        text = Path(header).read_text(encoding="utf-8", errors="surrogateescape")
        with Header(built) as loaded:
            found = cls(built.names, loaded.inputs, loaded.outputs, least.read(text))
        if any(None in spec.shape for spec in (*found.inputs, *found.outputs)):
            raise CompileFailed(
                "the header does not say the dimensions of its inputs and outputs",
                where=built.names.namespace,
                why="an older SOFIE wrote it",
                advice="convert the model again",
            )
        return found


def _stored(spec: TensorSpec) -> TensorSpec:
    """As SOFIE keeps it: bools as bytes, scalars as one element."""
    return TensorSpec(spec.name, "uint8" if spec.dtype == "bool" else spec.dtype, spec.shape or (1,))
