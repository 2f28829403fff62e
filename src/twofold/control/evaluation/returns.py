"""What is to be foretold: the discounted return of every step whose return is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twofold.control.episode import Episode
from twofold.control.experience.cutting import horizon, return_to_go


def targets_of(
    episodes: Sequence[Episode], gamma: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]:
    """(return of each step, whether it is known, number of its episode), one after the other.

    Of an episode that does not end by itself nothing is known of the last steps, as many as `cutting.horizon` tells.
    """
    values, known, numbers = list[NDArray[np.float64]](), list[NDArray[np.bool_]](), list[NDArray[np.int64]]()
    for number, episode in enumerate(episodes):
        length = len(episode)
        labelled = length if episode.terminated else max(length - horizon(gamma), 0)
        values.append(return_to_go(episode.rewards, gamma))
        known.append(np.arange(length) < labelled)
        numbers.append(np.full(length, number))
    return np.concatenate(values).astype(np.float32), np.concatenate(known), np.concatenate(numbers)
