"""Processes for the tests of training."""

from __future__ import annotations

import multiprocessing

import pytest

from . import small


@pytest.fixture(scope="session")
def processes():
    """A context whose processes are forked from one that has imported everything, so that each starts at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["twofold.training.loop", "lightning_fabric", small.__name__])
    return context
