"""LSTM whose state is projected, of which the exporter makes another LSTM."""

from __future__ import annotations

from typing import Any

from converters.torch_ops.sizes import fixed
from converters.translations import stand_in


@stand_in("torch._VF.lstm")
def lstm(*given: Any) -> Any:
    """Step by step, h = P (o tanh(c)); every other LSTM as it is."""
    import torch

    if isinstance(given[1], torch.Tensor) or not _projected(given[2], biases=given[3]):
        return torch._C._VariableFunctions.lstm(*given)
    x, state, weights, biases, layers, _, _, bidirectional, batch_first = given
    ways = 2 if bidirectional else 1
    each = 3 + 2 * biases
    rows = x.transpose(0, 1) if batch_first else x
    last_h, last_c = [], []
    for layer in range(layers):
        outputs = []
        for way in range(ways):
            k = layer * ways + way
            cell = _Cell(*_named(weights[k * each : (k + 1) * each], biases=biases))
            found, h, c = cell.over(rows, state[0][k], state[1][k], backwards=way == 1)
            outputs.append(found)
            last_h.append(h)
            last_c.append(c)
        rows = torch.cat(outputs, -1)
    return rows.transpose(0, 1) if batch_first else rows, torch.stack(last_h), torch.stack(last_c)


def _projected(weights: Any, *, biases: bool) -> bool:
    """The state is smaller than the cell: there is one matrix more."""
    return bool(weights[1].shape[1] * 4 != weights[1].shape[0]) and weights[2 + 2 * biases].ndim == 2


def _named(weights: Any, *, biases: bool) -> Any:
    bias = weights[2] + weights[3] if biases else None
    return weights[0], weights[1], weights[-1], bias


class _Cell:
    def __init__(self, to_input: Any, to_state: Any, projection: Any, bias: Any) -> None:
        self.to_input, self.to_state, self.projection, self.bias = to_input, to_state, projection, bias

    def over(self, rows: Any, h: Any, c: Any, *, backwards: bool) -> Any:
        """All states in the order of the rows, and the last of either kind."""
        import torch

        steps = range(fixed(rows, 0))
        found = []
        for t in reversed(steps) if backwards else steps:
            h, c = self._step(rows[t], h, c)
            found.append(h)
        return torch.stack(found[::-1] if backwards else found), h, c

    def _step(self, x: Any, h: Any, c: Any) -> Any:
        from torch.nn.functional import linear

        i, f, g, o = (linear(x, self.to_input, self.bias) + linear(h, self.to_state)).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return linear(o.sigmoid() * c.tanh(), self.projection), c
