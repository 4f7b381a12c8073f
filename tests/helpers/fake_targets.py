"""Targets of the tests' own making."""

from __future__ import annotations

import onnx

from rewrite.target import Verdict


class Without:
    """Takes all operators but some, and merges none. Of several nodes judged together it looks at the last."""

    name = "the fake"
    merges: frozenset[tuple[str, str]] = frozenset()

    def __init__(self, *refused: str) -> None:
        self.refused = refused

    def judge(self, probe: onnx.ModelProto) -> Verdict:
        operator = probe.graph.node[-1].op_type
        legal = operator not in self.refused
        return Verdict(legal, "" if legal else f"no {operator} here")
