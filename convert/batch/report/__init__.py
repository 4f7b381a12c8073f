"""``results.json`` told to people and to CI systems: a page (:mod:`~convert.batch.report.page`), Markdown
(:mod:`~convert.batch.report.markdown`), JUnit XML (:mod:`~convert.batch.report.junit`).

All text in the results came from models, so it is nobody's to trust: each form escapes it in its own way.
"""
