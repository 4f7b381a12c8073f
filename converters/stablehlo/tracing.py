"""A StableHLO program done again under JAX's tracing: operation by operation, with the user's lines."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

from convert.errors import ConvertError, ExportFailed, Finding
from converters.stablehlo import sizes
from converters.stablehlo.expansions import Expansion, expansions_in, is_believed
from converters.stablehlo.program import ASSERTION, Op, Program, Tensor
from converters.stablehlo.registry import CALLED, COMPOSITES, OPERATIONS, Meaning, load
from converters.stablehlo.values import Spread, array_of, is_known, is_traced, spread

#: A block's values by MLIR's.
Values = MutableMapping[Any, Any]
#: What ends a block.
_ENDS = ("func.return", "stablehlo.return")


class Tracer:
    """Runs a program's functions on values of which some are traced.

    :ivar refused: the forms of operations that could not be done, each with its place.
    :ivar stopped: the operation in which JAX gave up, as a finding; None where it did not.
    :ivar wants: conditions on open sizes that the program asserts, in its own words, and nothing here can decide.
    """

    def __init__(self, program: Program) -> None:
        load()
        self.program = program
        self.refused: list[Finding] = []
        self.stopped: Finding | None = None
        self.wants: list[str] = []
        self._last: ConvertError | None = None
        self._around = ""

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """The program's outputs, as arrays."""
        return [array_of(value) for value in self.call("main", inputs)]

    def call(self, name: str, inputs: Sequence[Any]) -> list[Any]:
        return self._block(self.program.block(name), {}, *inputs)

    def _block(self, block: Any, around: Values, *inputs: Any) -> list[Any]:
        values: Values = ChainMap({}, around)
        values.update(zip(block.arguments, inputs, strict=True))
        expansions = {e.result: e for e in expansions_in(block)}
        *operations, end = (o.operation for o in block.operations)
        for operation in operations:
            expansion = next((expansions[r] for r in operation.results if r in expansions), None)
            if expansion is None or not self._read_back(expansion, values):
                self._step(operation, values)
        return [values[value] for value in end.operands]

    def _step(self, operation: Any, values: Values) -> None:
        named = [self.program.block(name) for name in Op(operation).get("called_computations", ())]
        blocks = (*(region.blocks[0] for region in operation.regions), *named)
        op = Op(operation, blocks, tuple(partial(self._block, block, values) for block in blocks), values)
        given = [values[value] for value in operation.operands]
        values.update(zip(operation.results, self._done(op, given), strict=True))

    def _read_back(self, expansion: Expansion, values: Values) -> bool:
        """Put the primitive's value where the expansion's would be, if it is one of a value that is traced.

        What was done before for the expansion alone is then without use, and left out in the end.
        """
        from jax import lax

        traced = [v for v in expansion.operands if is_traced(values[v])]
        if len(traced) != 1:
            return False
        (operand,) = traced

        def done(x: Any) -> Any:
            inner: Values = ChainMap({operand: x}, values)
            for operation in expansion.operations:
                self._step(operation, inner)
            return array_of(inner[expansion.result])

        x = array_of(values[operand])
        if not is_believed(expansion, done, x):
            return False
        with _at(Op(expansion.operations[-1]).place or self._around):
            values[expansion.result] = getattr(lax, expansion.primitive)(x)
        return True

    def _done(self, op: Op, given: list[Any]) -> list[Any]:
        outside = self._around
        self._around = place = op.place or outside  # of a library's function: the line that calls it
        values: list[Any] | None = None
        try:
            with _at(place):
                made = self._made(op, given)
            values = [_checked(value, kind) for value, kind in zip(made, op.types, strict=True)]
            return values
        except ConvertError as error:
            known = error.finding
            said = Finding(f"{op.known_as}: {known.what}", known.where or place, known.why, known.advice)
            if error is not self._last and said not in self.refused:  # not of a call around it
                self.refused.append(said)
            self._last = error
            raise
        finally:
            self._around = outside
            if values is None and self.stopped is None:
                self.stopped = Finding(f"{op.known_as} cannot be done with jax.lax in this form", where=place)

    def _made(self, op: Op, given: list[Any]) -> list[Any]:
        if op.name == "func.call":
            return self.call(op["callee"], given)
        if op.name == "stablehlo.custom_call" and op["call_target_name"] == ASSERTION:
            return self._asserted(op, given)
        if op.name == "stablehlo.composite" and op["name"] not in COMPOSITES:
            return self.call(op["decomposition"], given)
        found = sizes.computed(op, given)
        made = _meant(meaning_of(op), op, given) if found is NotImplemented else found
        return list(made) if isinstance(made, list | tuple) else [made]

    def _asserted(self, op: Op, given: list[Any]) -> list[Any]:
        """
        :raises ExportFailed: it does not hold for these sizes.
        """
        held = given[0]
        said = str(op["error_message"]).partition(" Using the following")[0].strip()
        if not is_known(held):
            self.wants.append(said)
        elif not held:
            raise ExportFailed("the sizes are not those that the program is for", why=said)
        return []


def is_done(op: Op) -> bool:
    """Does something here do the operation?"""
    by_name = op.name in (*_ENDS, "func.call") or op.get("call_target_name") == ASSERTION
    return by_name or op.name == "stablehlo.composite" or meaning_of(op) is not None


def meaning_of(op: Op) -> Meaning | None:
    """What does the operation; None where nothing does."""
    if op.name == "stablehlo.custom_call":
        return CALLED.get(op["call_target_name"])
    if op.name == "stablehlo.composite":
        return COMPOSITES.get(op["name"])
    return OPERATIONS.get(op.name)


def _meant(meaning: Meaning | None, op: Op, given: list[Any]) -> Any:
    assert meaning is not None  # unknown operations were refused before
    if meaning.takes == "any":
        return meaning.function(op, *given)
    if meaning.takes == "arrays":
        return _applied(meaning.function, op, [array_of(value) for value in given])
    narrow = [value.array if isinstance(value, Spread) else array_of(value) for value in given]
    shape = next((value.shape for value in given if isinstance(value, Spread)), None)
    found = _applied(meaning.function, op, narrow)
    return found if shape is None else spread(found, shape)


def _applied(function: Callable[..., Any], op: Op, arrays: list[Any]) -> Any:
    """Computed where all is known: in 64 bits too, which JAX's own random numbers are drawn with."""
    import jax
    import numpy as np

    if not all(map(is_known, arrays)):
        return function(op, *arrays)
    with jax.ensure_compile_time_eval(), jax.enable_x64(any(map(_is_wide, (*arrays, *op.types)))):
        return jax.tree.map(np.asarray, function(op, *arrays))


def _is_wide(tensor: Any) -> bool:
    return tensor.dtype is not None and bool(tensor.dtype.itemsize == 8)


def _checked(value: Any, kind: Tensor) -> Any:
    """
    :raises ExportFailed: it is of another type than the program says.
    """
    dtype = value.array.dtype if isinstance(value, Spread) else value.dtype
    fits = len(value.shape) == len(kind.shape) and all(
        not isinstance(have, int) or want in (None, have) for have, want in zip(value.shape, kind.shape, strict=True)
    )
    if dtype == kind.dtype and fits:
        return value
    raise ExportFailed(f"a {kind.text} comes out as {dtype}[{','.join(map(str, value.shape))}]")


def _at(place: str) -> Any:
    """Context in which what JAX traces is of that line of the user's."""
    from jax.extend import source_info_util

    return source_info_util.user_context(_traceback(place))


@cache
def _traceback(place: str) -> Any:
    """A traceback of JAX's that ends in the line, which is of a file that may not be here.

    Code that is said to stand there asks for its own, in a thread, where nobody else's line is on the stack.
    """
    from jax.extend import source_info_util

    file, _, line = (place or "<no line>:1").rpartition(":")
    code = compile("current().traceback", file, "eval").replace(co_firstlineno=int(line))
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(eval, code, {"current": source_info_util.current}).result()
