"""A zoo at a time: ``python -m convert batch zoo/ --output out/``, and what is done with its results.

Data flows one way: a zoo (:mod:`~convert.batch.zoo`) gives entries, each entry a task (:mod:`~convert.batch.task`),
which a process of its own (:mod:`~convert.batch.isolated`) turns into a row (:mod:`~convert.batch.row`), here or on a
Dask cluster (:mod:`~convert.batch.pool`); the rows are kept as they come (:mod:`~convert.batch.journal`) and make
``results.json``.
"""
