"""What frameworks say of an error, in one line."""

from __future__ import annotations

import pytest

from converters.quiet import first_line, reason


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("\n  one \n two", "one"),
        ("\x1b[1mred\x1b[0m", "red"),
        ("x" * 400, "x" * 297 + "..."),
        ("Exception encountered when calling Dense.call().\n\nwrong shape", "Exception encountered when calling Dense.call(): wrong shape"),
        (
            'Graph execution error:\n\nDetected at node a/Gather defined at\n  File "m.py", line 3, in f\n\n'
            "indices[0] = 10 is not in [0, 10)\n\t [[{{node a/Gather}}]] [Op:__inference_run_7]",
            "indices[0] = 10 is not in [0, 10)",
        ),
        (
            'in user code:\n\n    File "m.py", line 30, in f  *\n        return g(x)\n    File "n.py", line 4, in g\n\n'
            "    ValueError: no such thing.\n",
            "no such thing, in n.py:4",
        ),
    ],
)  # fmt: skip
def test_the_line_that_says_something(text: str, line: str) -> None:
    assert first_line(text) == line
    assert reason(ValueError(text)) == f"ValueError: {line or 'no message'}"
