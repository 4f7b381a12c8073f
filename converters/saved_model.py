"""TensorFlow SavedModel folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.errors import BadModel, Finding, UnsafeFile
from converters.base import LoadOptions
from converters.quiet import Attempt, reason
from converters.tf_structures import named_leaves

#: Operators with which a graph reaches outside of its numbers.
_REACHING = {
    "EagerPyFunc", "FixedLengthRecordReaderV2", "MatchingFiles", "PyFunc", "PyFuncStateless", "ReadFile",
    "TFRecordReaderV2", "TextLineReaderV2", "WholeFileReaderV2", "WriteFile",
}  # fmt: skip
#: The signatures that TensorFlow and Keras write by themselves, the first that is there.
_USUAL = ("serving_default", "serve")
_INIT = "__saved_model_init_op"


@dataclass(frozen=True)
class Signature:
    """One function of a SavedModel.

    :param function: concrete, with named tensors.
    :param order: names of its inputs in the order of the model, where the folder tells.
    :param home: what was loaded: its variables live only as long.
    """

    function: Any
    order: tuple[str, ...]
    home: Any


def open_saved_model(path: Path, options: LoadOptions) -> tuple[Signature, tuple[str, ...]]:
    """The signature to convert, and notes for the user.

    :raises BadModel: damaged, or without a signature.
    :raises UnsafeFile: its graph reaches outside of its numbers, and ``allow_code`` is not given.
    """
    import tensorflow as tf

    if not options.allow_code:
        _refuse_reaching(path)
    with Attempt() as attempt:
        loaded = tf.saved_model.load(str(path))
    if attempt.error is not None:
        what = "TensorFlow cannot open the SavedModel"
        raise BadModel(what, where=str(path), why=reason(attempt.error)) from attempt.error
    return signature_of(loaded, str(path))


def signature_of(loaded: Any, where: str) -> tuple[Signature, tuple[str, ...]]:
    """The signature to convert of what ``tf.saved_model.load`` gave, and notes for the user.

    :raises BadModel: there is none.
    """
    signatures: Mapping[str, Any] = loaded.signatures
    names = [n for n in (*_USUAL, *signatures) if n in signatures and n != _INIT]
    if not names:
        raise BadModel(
            "the SavedModel has no signature to call", where=where,
            advice="save it with tf.saved_model.save(module, folder, signatures=...), or with model.export(folder)",
        )  # fmt: skip
    # Keras's "serve" is its "serving_default" once more.
    others = [n for n in signatures if n not in (names[0], _INIT, *(_USUAL if names[0] in _USUAL else ()))]
    notes = (f"the signature {names[0]} is taken, and not {', '.join(others)}",) if others else ()
    function = signatures[names[0]]
    return Signature(function, _order(loaded, function), loaded), notes


def _order(loaded: Any, function: Any) -> tuple[str, ...]:
    """Signatures are sorted by name; what Keras saves beside them has its own order."""
    known = function.structured_input_signature[1]
    for name in ("serve", "_default_save_signature"):
        found = getattr(loaded, name, None)
        for concrete in getattr(found, "concrete_functions", [found] if found is not None else []):
            specs = [leaf.name for _, leaf in named_leaves(concrete.structured_input_signature[0], "")]
            if sorted(specs) == sorted(known):
                return tuple(specs)
    return ()


def _refuse_reaching(path: Path) -> None:
    """Before TensorFlow opens it, which runs its initialisers."""
    reaching = sorted(set(_operators(path)) & _REACHING)
    if reaching:
        raise UnsafeFile(
            "the SavedModel's graph reaches outside of its numbers", where=str(path),
            advice="if you trust the folder, give --allow-code",
            findings=tuple(Finding(f"the TensorFlow operator {name}") for name in reaching),
        )  # fmt: skip


def _operators(path: Path) -> Iterator[str]:
    from tensorflow.core.protobuf import saved_model_pb2

    message = saved_model_pb2.SavedModel()
    with Attempt() as attempt:  # protobuf's DecodeError, of whichever implementation is there
        message.ParseFromString((path / "saved_model.pb").read_bytes())
    if attempt.error is not None:
        raise BadModel("saved_model.pb is damaged", where=str(path), why=reason(attempt.error), advice="copy it again")
    for graph in (m.graph_def for m in message.meta_graphs):
        yield from (node.op for node in graph.node)
        yield from (node.op for function in graph.library.function for node in function.node_def)
