"""Memory between stages: shared by tensors that are not there at the same time, and by no others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sofie_bridge.stages.buffers import Lifetime, share

_lifetimes = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 5), st.integers(1, 99)).map(lambda t: (t[0], t[0] + t[1], t[2])),
    max_size=12,
)


@given(_lifetimes)
def test_no_two_at_once(spans: list[tuple[int, int, int]]) -> None:
    tensors = [Lifetime(f"t{k}", begin, end, size) for k, (begin, end, size) in enumerate(spans)]
    buffers = share(tensors)
    assert sorted(t.tensor for b in buffers for t in b.tensors) == sorted(t.tensor for t in tensors)
    for buffer in buffers:
        steps = [step for t in buffer.tensors for step in range(t.begin, t.end + 1)]
        assert len(steps) == len(set(steps))


def test_a_chain_needs_two() -> None:
    chain = [Lifetime(f"t{k}", k, k + 1, 8) for k in range(9)]
    assert len(share(chain)) == 2


def test_large_ones_share_with_large_ones() -> None:
    tensors = [Lifetime("a", 0, 1, 100), Lifetime("b", 0, 1, 4), Lifetime("c", 2, 3, 100), Lifetime("d", 2, 3, 4)]
    assert sum(max(b.sizes) for b in share(tensors)) == 104
