"""Headers as columns of ROOT's RDataFrame.

>>> from sofie_bridge import rdf
>>> df = rdf.define(df, "score", "model.hxx", columns=["pt", "eta", "phi", "m"])  # doctest: +SKIP
"""

from __future__ import annotations

from sofie_bridge.rdf.dataframe import define as define

__all__ = ["define"]
