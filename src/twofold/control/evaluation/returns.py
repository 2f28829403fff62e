"""What is to be foretold: the discounted return of every step whose return is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twofold.control.episode import Episode
from twofold.control.experience.cutting import horizon, return_to_go
from twofold.errors import between_0_and_1


def targets_of(
    episodes: Sequence[Episode], gamma: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]:
    """(return of each step, whether it is known, number of its episode), one after the other.

    float32, bool and int64, each (steps of all,). gamma: 0 to 1. Of an episode that does not end by itself nothing is
    known of the last steps, as many as `cutting.horizon` tells; of none where gamma is 1, for what is still to come
    never fades. Raises UserError of another gamma.
    """
    between_0_and_1(gamma=gamma)
    values, known, numbers = [np.empty(0)], [np.empty(0, np.bool_)], [np.empty(0, np.int64)]
    for number, episode in enumerate(episodes):
        length = len(episode)
        hidden = 0 if episode.terminated or gamma == 0 else horizon(gamma)
        values.append(return_to_go(episode.rewards, gamma))
        known.append(np.arange(length) < length - hidden)
        numbers.append(np.full(length, number))
    return np.concatenate(values).astype(np.float32), np.concatenate(known), np.concatenate(numbers)
