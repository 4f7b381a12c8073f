"""What tf2onnx could not translate, and why: every operator at once, each with what its translation would see.

tf2onnx goes on past an operator that it does not know, and past a translation that raises, and what comes out then is
no model. So each step of it is watched, and what was seen is held against what came out.
"""

from __future__ import annotations

import inspect
import keyword
import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np

from convert.errors import ConvertError, ExportFailed, Finding
from converters.quiet import Attempt, reason

if TYPE_CHECKING:
    import onnx

_STRINGS = "strings, hashes and tables are no numbers: cut the layer off the model and feed what it gives"
_PYTHON = "it runs Python code (tf.py_function, tf.numpy_function), and a header has no Python"
_PYTHON_ADVICE = (
    "write it with TensorFlow's operators, or as ONNX operators with converters.tf_symbolic.onnx_operator"
    " (docs/translations.md), or cut the layer off the model"
)
_PYTHON_OPERATORS = ("PyFunc", "EagerPyFunc", "PyFuncStateless")
_WHY = dict.fromkeys(
    (
        "LookupTableFindV2", "LookupTableSizeV2", "StringToHashBucketFast", "StringToHashBucketStrong", "StringSplitV2",
        "StaticRegexReplace", "RegexReplace", "StringLower", "StringUpper", "AsString", "StringJoin", "HashTableV2",
        "RaggedTensorToTensor", "UnicodeDecodeWithOffsets", "StringFormat", "StringNGrams",
    ),
    _STRINGS,
) | dict.fromkeys(_PYTHON_OPERATORS, _PYTHON)  # fmt: skip

#: What TensorFlow says where NumPy is given a tensor of a trace.
_NUMPY = "Cannot convert a symbolic"
#: The calls that a model of functions is wrapped in: not the user's names.
_WRAPPING = re.compile(r"^((Stateful)?PartitionedCall(_\d+)?/)+")


@dataclass(frozen=True)
class Seen:
    """An operator of the TensorFlow graph for which there is no translation, or whose translation failed.

    :param node: its name, which begins with the layer's.
    :param inputs: of each, its dtype and shape: "float32[?,3]". :param outputs: likewise.
    :param error: what its translation raised; None where there is no translation.
    :param translation: the function that raised.
    :param known: tf2onnx has a translation of it. :param made: it is none of TensorFlow's: a translation made it.
    """

    operator: str
    node: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    error: BaseException | None = None
    translation: Callable[..., Any] | None = None
    known: bool = False
    made: bool = False

    @property
    def why(self) -> str:
        """What stands against the operator as such."""
        strings = any(t.startswith("string[") for t in (*self.inputs, *self.outputs))
        return _WHY.get(self.operator, _STRINGS if strings else "")

    @property
    def signature(self) -> str:
        return f"{', '.join(self.inputs)} -> {', '.join(self.outputs)}"


def untraceable(error: BaseException | None, where: str) -> ExportFailed:
    """What is to be said of a model whose trace fails."""
    advice = _PYTHON_ADVICE if _NUMPY in str(error) else ""
    return ExportFailed("the model cannot be traced", where=where, why=reason(error), advice=advice)


@dataclass
class Watch:
    """What was seen while tf2onnx translated."""

    seen: dict[str, Seen] = field(default_factory=dict)
    failed: list[Seen] = field(default_factory=list)

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Record, for as long as this lasts, what tf2onnx passes over."""
        from tf2onnx import tfonnx

        original = tfonnx.tensorflow_onnx_mapping

        def mapping(graph: Any, ways: dict[str, Any], *rest: Any, **options: Any) -> Any:
            # it calls itself for the bodies of loops, with the ways that are watched already
            watched = ways if isinstance(ways, _Watched) else _Watched({n: self._watched(*w) for n, w in ways.items()})
            for node in graph.get_nodes():
                if not node.need_skip():
                    self.seen[node.name] = replace(_seen(graph, node), known=node.type in watched)
            return original(graph, watched, *rest, **options)

        with mock.patch.object(tfonnx, "tensorflow_onnx_mapping", mapping):
            yield

    def _watched(
        self, function: Callable[..., Any], options: dict[str, Any]
    ) -> tuple[Callable[..., Any], dict[str, Any]]:
        def run(graph: Any, node: Any, **given: Any) -> Any:
            seen = _seen(graph, node, operator=given.get("tf_op"))
            try:
                with Attempt() as attempt:
                    return function(graph, node, **given)
                error = attempt.error
            except ConvertError as refusal:  # a translation may refuse in our own words
                error = refusal
            assert error is not None
            translation = given.get("func", function)
            translation = getattr(translation, "translation", translation)
            self.failed.append(replace(seen, error=error, translation=translation))
            raise error

        return run, options

    def refuse(self, model: onnx.ModelProto | None, *, where: str) -> None:
        """
        :param model: what came out; None where nothing did.
        :raises ExportFailed: each operator that was not translated, if there is one.
        """
        failed = {seen.node for seen in self.failed}
        groups: dict[str, list[Seen]] = {}
        for seen in (*self.failed, *(s for s in self._left(model) if s.node not in failed)):
            groups.setdefault(seen.operator, []).append(seen)
        if not groups:
            return
        firsts = [group[0] for group in groups.values()]
        lacking = [s for s in firsts if s.error is None and not (s.why or s.known or s.made)]
        raise ExportFailed(
            "TensorFlow operators that could not be translated to ONNX",
            where=where,
            advice=_skeleton(lacking) if lacking else "",
            findings=tuple(_finding(group) for group in groups.values()),
        )

    def _left(self, model: onnx.ModelProto | None) -> list[Seen]:
        """Operators that tf2onnx left, in ONNX's own domain, under TensorFlow's names."""
        import onnx

        if model is None:
            return [s for s in self.seen.values() if not s.known] if not self.failed else []
        version = next(o.version for o in model.opset_import if o.domain == "")
        return [
            found
            if (found := self.seen.get(node.name)) is not None and found.operator == node.op_type
            else Seen(node.op_type, node.name, (), (), made=True)
            for node in _nodes(model.graph)
            if node.domain in ("", "ai.onnx") and not onnx.defs.has(node.op_type, max_inclusive_version=version)
        ]


class _Watched(dict[str, Any]):
    """tf2onnx's table of translations, watched."""


def _seen(graph: Any, node: Any, operator: str | None = None) -> Seen:
    def shown(tensor: str) -> str:
        from tf2onnx import utils

        dtype, shape = graph.get_dtype(tensor), graph.get_shape(tensor)
        name = np.dtype(utils.map_onnx_to_numpy_type(dtype)).name if dtype in utils.ONNX_TO_NUMPY_DTYPE else "?"
        name = "string" if name == "object" else name
        sizes = "..." if shape is None else ",".join("?" if d is None or d < 0 else str(d) for d in shape)
        return f"{name}[{sizes}]"

    inputs, outputs = (tuple(map(shown, names)) for names in (node.input, node.output))
    return Seen(operator or node.type, node.name, inputs, outputs)


def _finding(group: Sequence[Seen]) -> Finding:
    """Nodes of one operator: the first stands for all."""
    first = group[0]
    more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
    where = _WRAPPING.sub("", first.node) + more
    if first.operator in _PYTHON_OPERATORS:
        return Finding(f"Python code in the graph, {first.operator}({first.signature})", where, _PYTHON, _PYTHON_ADVICE)
    if first.made:
        return Finding(f"ONNX has no operator {first.operator}, which a translation made", where)
    if first.error is None:
        why = first.why or ("tf2onnx left it as it is" if first.known else "tf2onnx has no translation of it")
        return Finding(f"the TensorFlow operator {first.operator}({first.signature})", where, why)
    what = f"the translation of the TensorFlow operator {first.operator}({first.signature}) failed"
    why = first.error.finding.what if isinstance(first.error, ConvertError) else reason(first.error)
    place = _place(first)
    return Finding(what, where, f"{why}, in {place}" if place else why)


def _place(seen: Seen) -> str:
    """File and line in which the translation gave up: the last of its file, whatever that called."""
    assert seen.error is not None
    assert seen.translation is not None
    file = inspect.getsourcefile(inspect.unwrap(seen.translation)) or ""
    trace = traceback.extract_tb(seen.error.__traceback__)
    line = next((f.lineno for f in reversed(trace) if Path(f.filename) == Path(file)), None)
    return f"{file}:{line}" if line is not None else f"{file}, {seen.translation.__name__}"


def _skeleton(lacking: Sequence[Seen]) -> str:
    """A file of translations to be filled in."""
    names = [_snake(s.operator) for s in lacking]
    functions = "".join(
        f'\n\n@tensorflow("{s.operator}")\n'
        f"def {name}(g, node):\n"
        f'    """{s.signature}"""\n'
        f"    {_unpacked(s)}\n"
        f"    raise NotImplementedError  # in its place {s.operator} in ONNX operators, as in: {_example(s)}\n"
        for s, name in zip(lacking, names, strict=True)
    )
    text = "from converters.translations import tensorflow\n" + functions
    return (
        "fill in this file and give it with --translations my_ops.py (docs/translations.md), or cut those layers off"
        " the model:\n\n        " + text.replace("\n", "\n        ").rstrip() + "\n"
    )


def _unpacked(seen: Seen) -> str:
    names = ["x", "y", "z"][: len(seen.inputs)] if len(seen.inputs) <= 3 else [f"x{k}" for k in range(len(seen.inputs))]
    return f"{', '.join(names)}{',' if len(names) == 1 else ''} = node.inputs" if names else "pass"


def _example(seen: Seen) -> str:
    return "return g.Exp(x)" if len(seen.outputs) == 1 else f"return [{', '.join(['g.Exp(x)'] * len(seen.outputs))}]"


def _snake(name: str) -> str:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|\W", "_", name).lower()
    return f"{snake}_" if keyword.iskeyword(snake) else snake


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _nodes(body)
