"""The golden files: numbers recorded from the original authors' code (data/README.md)."""

import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def golden():
    """golden(name) -> the arrays of `name`.npz from TWOFOLD_GOLDEN, or from the copy beside the tests."""
    folder = Path(os.environ.get("TWOFOLD_GOLDEN") or Path(__file__).parent / "data")

    def load(name):
        return np.load(folder / f"{name}.npz", allow_pickle=False)

    return load
