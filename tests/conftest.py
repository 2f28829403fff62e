"""One thread for each test process: the suite runs one process a core, and more threads would wait for each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gc
import multiprocessing

import pytest


def pytest_collection_finish() -> None:
    """What was imported and collected stays: it is not looked through again each time that rubbish is sought."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def processes():
    """A context whose processes are forked from one that has imported everything, so that each starts at once."""
    from .training import small

    context = multiprocessing.get_context("forkserver")
    jobs = [f"twofold.{kind}.jobs.pretrain" for kind in ("images", "interactions")]
    context.set_forkserver_preload([*jobs, "lightning_fabric", small.__name__])
    return context
