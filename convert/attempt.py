"""Running code that is not ours."""

from __future__ import annotations

from types import TracebackType

from convert.errors import ConvertError


class Attempt:
    """Run code that may raise anything: a user's factory, a pickle, an exporter.

    ``error`` is what it raised, or None. Our own errors and KeyboardInterrupt pass through; SystemExit does not: a
    user's script that ends in ``sys.exit()`` must not end the conversion without a word.
    """

    error: BaseException | None = None

    def __enter__(self) -> Attempt:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if not isinstance(error, (Exception, SystemExit)) or isinstance(error, ConvertError):
            return False
        self.error = error
        return True


def raised_at(error: BaseException | None) -> str:
    """``file:line`` of the innermost frame that raised it, for messages about a user's own code; "" without one."""
    trace = error.__traceback__ if error is not None else None
    place = ""
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
