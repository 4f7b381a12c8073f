"""What holds for all tests: no oversubscribed cores, and the same examples from hypothesis in every run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# pytest-xdist runs a worker a core, so threads inside a worker would only wait for each other. Frameworks read these
# when they are imported.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

#: Factories of models, without tests, that import what may not be installed.
collect_ignore = ["helpers/graph_networks.py", "helpers/tensorflow_models.py"]

# No deadline: a first example may compile. Derandomised: a failure is there again in the next run.
settings.register_profile("repository", deadline=None, derandomize=True)
settings.load_profile("repository")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Path]:
    """Nothing is taken from the user's cache, nor left there; the workers of one run share what they compile."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "cache"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFIE_CONVERT_CACHE", str(folder))
        yield folder
