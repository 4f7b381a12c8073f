"""docs/tutorial.ipynb, as it stands: training, header, RDataFrame, and the header held against the framework."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs" / "tutorial.ipynb"
#: In a process of its own: the notebook's kernel has a loop and warnings of its own.
RUN = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
resources = {"metadata": {"path": sys.argv[2]}}
nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3", resources=resources).execute()
nbformat.write(notebook, sys.argv[2] + "/done.ipynb")
"""


@pytest.mark.slow
def test_the_notebook_runs_and_its_scores_agree(tmp_path: Path) -> None:
    pytest.importorskip("ROOT", reason="ROOT is not installed (the extra [root])")
    pytest.importorskip("torch", reason="PyTorch is not installed (the extra [torch])")
    nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed (the extra [test])")
    command = [sys.executable, "-c", RUN, str(NOTEBOOK), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    cells = nbformat.read(tmp_path / "done.ipynb", as_version=4).cells
    said = "".join(o.text for c in cells if c.cell_type == "code" for o in c.outputs if o.get("name") == "stdout")
    assert "12000 scores, none more than 1e-5 apart" in said
    assert any("image/png" in o.get("data", {}) for c in cells if c.cell_type == "code" for o in c.outputs)


def test_the_notebook_is_kept_with_its_outputs() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert "12000 scores, none more than 1e-5 apart" in text
    assert "site-packages" not in text
    assert len(text) < 200_000
