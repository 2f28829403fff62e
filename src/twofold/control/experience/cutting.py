"""Returns, and an episode cut into segments within which the return hardly changes (RCRL, section 4)."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SMALLEST = 1e-6  # threshold where no episode has earned anything


def return_to_go(rewards: Sequence[float] | NDArray[np.floating], gamma: float = 1.0) -> NDArray[np.float64]:
    """G_t = sum over k >= t of gamma^(k - t) r_k, float64 (T,)."""
    rewards = np.asarray(rewards, np.float64)
    if gamma == 1.0:
        return rewards[::-1].cumsum()[::-1]
    found, after = np.empty(len(rewards)), 0.0
    for t in range(len(rewards) - 1, -1, -1):
        after = rewards[t] + gamma * after
        found[t] = after
    return found


def cut_by_threshold(rewards: Sequence[float] | NDArray[np.floating], threshold: float) -> NDArray[np.int64]:
    """Where the segments of an episode of dense rewards begin: a new one as soon as the undiscounted return has moved
    by `threshold` or more since the segment's start."""
    starts, moved = [0], 0.0
    for t, reward in enumerate(np.asarray(rewards, np.float64)[:-1].tolist(), start=1):
        moved += reward
        if abs(moved) >= threshold:
            starts.append(t)
            moved = 0.0
    return np.asarray(starts, np.int64)


def adaptive_threshold(episode_returns: Sequence[float], segments: int) -> float:
    """The threshold by which an episode of many of these returns falls into about so many segments: their 90th
    percentile, without sign, over `segments`."""
    if not len(episode_returns):
        return SMALLEST
    return max(float(np.percentile(np.abs(episode_returns), 90)) / segments, SMALLEST)


def horizon(gamma: float) -> int:
    """Steps after which less than 5 % of a return is still to come, none for gamma 1; nothing is known of the last ones
    of an episode that does not end by itself."""
    if gamma <= 0:
        return 0
    return int(np.log(0.05) / np.log(gamma)) if gamma < 1 else sys.maxsize


def looks_sparse(rewards: Sequence[float] | NDArray[np.floating]) -> bool:
    """Whether at most a quarter of the steps earn anything."""
    rewards = np.asarray(rewards)
    return bool(np.count_nonzero(rewards) * 4 <= max(len(rewards), 1))
