"""Every layer of a framework through the pipeline: ``python -m convert.sweep keras``.

A framework brings a *suite*: a module of cases (:mod:`convert.sweep.case`). The driver (:mod:`convert.sweep.driver`)
puts each through the pipeline, in processes that survive a crash, and holds the compiled headers against the
framework's own answers (:mod:`convert.sweep.outcome`).
"""
