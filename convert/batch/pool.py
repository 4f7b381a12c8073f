"""Where tasks run: on this machine, or on the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from convert.errors import MissingPackage, UsageError


@contextmanager
def executor(jobs: int, scheduler: str) -> Iterator[Executor]:
    """An executor for :func:`convert.batch.isolated.run_task`, which spends its time waiting for a process.

    :param jobs: tasks at a time, on this machine.
    :param scheduler: address of a Dask scheduler ("tcp://host:8786"); its workers say how many at a time. Output folder
        and models must be where the workers find them under the same paths.
    :raises MissingPackage: distributed is not installed. :raises UsageError: there is no scheduler.
    """
    if not scheduler:
        pool = ThreadPoolExecutor(jobs)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
        return
    try:
        from distributed import Client
    except ImportError as error:
        advice = "pip install 'sofie-convert[dask]' (the extra [dask])"
        raise MissingPackage("Dask is needed for --scheduler", why=str(error), advice=advice) from error
    try:
        make: Callable[..., Any] = Client  # has no annotations
        client = make(scheduler, timeout=20)
    except (OSError, ValueError, TimeoutError) as error:
        advice = "start one with `dask scheduler`, and workers with `dask worker tcp://host:8786`"
        raise UsageError(f"no Dask scheduler answers at {scheduler}", why=str(error), advice=advice) from error
    with client:
        pool = client.get_executor(pure=False)
        try:
            yield pool
        finally:
            pool.shutdown(wait=False)
