"""An episode as a file, without losses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twofold.control.episode import Episode
from twofold.files import write_arrays


def write_episode(folder: Path, number: int, episode: Episode) -> Path:
    """Write episode-NUMBER.npz, compressed, whole or not at all; `read_episodes` gives the same again."""
    file = folder / f"episode-{number:06d}.npz"
    arrays = {
        "observations": episode.observations,
        "actions": episode.actions,
        "rewards": episode.rewards,
        "life_lost": episode.life_lost,
        "terminated": np.asarray(episode.terminated),
        "truncated": np.asarray(episode.truncated),
        "kind_of_actions": np.asarray("choices" if episode.actions.ndim == 1 else "vectors"),
    }
    if episode.observations.ndim == 4:
        arrays["layout"] = np.asarray("chw")
    write_arrays(file, arrays)
    return file
