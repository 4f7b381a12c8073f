"""Tables of numbers, as IntegerLookup has them: the graph has the table's name alone, its content stands beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

#: Entries beyond which a comparison with each is no way to look one up.
LARGEST = 10_000


@contextlib.contextmanager
def compared_lookups() -> Iterator[None]:
    """``tf.lookup.StaticHashTable`` of whole numbers as comparisons with every key, for the time of a trace.

    y = default + sum over keys k of (x = k) (value[k] - default). Tables of strings stay, and are refused by name.
    """
    import tensorflow as tf

    table = tf.lookup.StaticHashTable
    original = table.lookup

    def lookup(self: Any, keys: Any, name: str | None = None) -> Any:
        if not isinstance(keys, tf.Tensor) or not (self.key_dtype.is_integer and self.value_dtype.is_integer):
            return original(self, keys, name)
        with tf.init_scope():
            known, values = (t.numpy() for t in self.export())
            default = self.default_value.numpy()
        if len(known) > LARGEST:
            return original(self, keys, name)
        found = tf.cast(tf.equal(tf.expand_dims(keys, -1), known), self.value_dtype)
        return default + tf.reduce_sum(found * (values - default), -1)

    with mock.patch.object(table, "lookup", lookup):
        yield
