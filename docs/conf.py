"""How Sphinx builds these pages: `tox -e docs`, with warnings as errors and every reference resolved."""

from __future__ import annotations

from importlib.metadata import version as version_of

project = "sofie-convert"
copyright = "the authors of sofie-convert, Apache-2.0"
version = release = version_of("sofie-convert")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = f"{project} {version}"
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}

# Types of other projects, aliases, and modules of ours that are no part of the API: there is no page to link to.
nitpick_ignore_regex = [
    (r"py:.*", r"(converters|rewrite|sofie_bridge)\..*"),
    (r"py:.*", r"(OnnxWitness|Report|Rewritten|Verification)(\..*)?"),
    (r"py:class", r"(Mapping|tuple)\[\w+"),
    (r"py:.*", r"(np|numpy|onnx|onnxruntime|torch)\..*"),
    (r"py:.*", r"(collections\.abc|os|pathlib|types|typing)\..*"),
    (r"py:.*", r"(Any|Path|Arrays|Array|Mapping|Sequence|Callable|ClassVar|Exception|Protocol|optional)"),
    (r"py:(class|obj|data|exc)", r"(bool|bytes|dict|float|int|list|object|str|tuple|type|None)"),
]
