"""A ``tf.function`` keeps its traces, and one that the user's code made would be taken as it is: traced anew instead.

So that what is replaced for the time of a trace is replaced in functions too that have been called before, and so that
none of them is compiled (``jit_compile=True``): tf2onnx cannot look into those.
"""

from __future__ import annotations

from typing import Any
from unittest import mock


def retraced() -> Any:
    """Context in which a call of a ``tf.function`` is a call of a new one, of the same Python function."""
    import tensorflow as tf

    kind = type(tf.function(_nothing))
    call, make = kind.__call__, tf.function

    def anew(self: Any, *args: Any, **given: Any) -> Any:
        if type(self) is not kind:  # restored from a file: it has no Python function
            return call(self, *args, **given)
        options = {"input_signature": self.input_signature, "autograph": getattr(self, "_autograph", True)}
        return call(make(self.python_function, **options), *args, **given)

    return mock.patch.object(kind, "__call__", anew)


def _nothing() -> None:
    """What is traced to learn the class of such functions."""
