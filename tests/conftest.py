"""What holds for all tests: no oversubscribed cores, and the same examples from hypothesis in every run."""

from __future__ import annotations

import os

from hypothesis import settings

# pytest-xdist runs a worker a core, so threads inside a worker would only wait for each other. Frameworks read these
# when they are imported.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# No deadline: a first example may compile. Derandomised: a failure is there again in the next run.
settings.register_profile("repository", deadline=None, derandomize=True)
settings.load_profile("repository")
