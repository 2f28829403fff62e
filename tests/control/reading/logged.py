"""Small logs as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np


def arrays(steps: int = 12, *, more: bool = True, seed: int = 0, **changed: Any) -> dict[str, Any]:
    """The arrays of an episode of pictures, its last step terminal; None takes one away."""
    rng = np.random.default_rng(seed)
    found = {
        "observations": rng.integers(0, 256, (steps + more, 6, 6, 3)).astype(np.uint8),
        "actions": rng.integers(0, 3, steps),
        "rewards": rng.choice([0.0, 1.0], steps),
        "terminated": np.arange(steps) == steps - 1,
    }
    return {name: value for name, value in {**found, **changed}.items() if value is not None}


def stored(folder: Path, name: str = "log.npz", **content: Any) -> Path:
    """An .npz file of these arrays."""
    np.savez(folder / name, **content)
    return folder / name


def grouped(file: Path, *episodes: dict[str, Any], called: str = "episode_{}") -> Path:
    """An HDF5 file with a group for each episode."""
    with h5py.File(file, "w") as log:
        for number, content in enumerate(episodes):
            for name, value in content.items():
                log[f"{called.format(number)}/{name}"] = value
    return file
