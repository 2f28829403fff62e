"""How much of the returns features tell: ridge regression and nearest neighbours, on episodes not learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twofold.errors import UserError
from twofold.randomness import derive

RIDGES = (*(10.0**power for power in range(-3, 7)), math.inf)  # of the penalty, per step; of the last, the mean alone
FOLDS = 5
FARTHEST = 10.0  # deviations from the mean that a feature may be
FLAT = 1e-6  # of its greatest value: a feature that varies less is constant, but for what float32 rounds
TIED = 1e-12  # of cosines
AT_ONCE = 1 << 22  # cosines held at a time (32 MB)
Rows = NDArray[np.floating]
Values = NDArray[np.floating]
Wide = NDArray[np.float64]


@dataclass(frozen=True)
class ProbeResult:
    """r2: 1 minus the squared error over that of the learned-from mean; at most 0 where nothing is told.

    ridge: of the linear probe, per step, infinite where the mean alone was best; k: neighbours; None of the other.
    steps, episodes: that it learned from; asked: steps it was asked about. precision: that it was computed in.
    """

    r2: float
    steps: int
    episodes: int
    asked: int
    ridge: float | None = None
    k: int | None = None
    precision: str = "float64"

    def describe(self) -> str:
        """What was used, in words."""
        setting = f"k {self.k}" if self.ridge is None else f"ridge {self.ridge:g}"
        learned = f"learned from {self.steps:,} steps of {self.episodes:,} episodes"
        return f"{setting}, {self.precision}, {learned}, asked about {self.asked:,}"


def split_episodes(count: int, seed: int, share: float = 0.3) -> tuple[list[int], list[int]]:
    """(episodes to learn from, episodes to ask about), at least one each, drawn by the seed, in order."""
    if count < 2:
        raise UserError("One episode alone tells nothing of others: give at least two.")
    order = np.random.default_rng(derive(seed, "episodes")).permutation(count)
    aside = min(max(round(share * count), 1), count - 1)
    return sorted(order[aside:].tolist()), sorted(order[:aside].tolist())


def ridge_probe(
    features: Rows, returns: Values, episodes: NDArray[np.int64], asked: Rows, truth: Values
) -> ProbeResult:
    """Linear regression on standardised features, float64, its penalty chosen by folds of whole episodes.

    features: (n, D), returns: (n,), episodes: (n,), of which episode each is. asked: (m, D), truth: (m,). Minimises
    the squared errors / n + ridge |w|^2; of ridges that err alike the greatest. Raises UserError where fewer than two
    episodes are learned from, or features are not finite.
    """
    _check(features, returns, asked, truth)
    names = np.unique(episodes)
    if len(names) < 2:
        raise UserError("A linear probe chooses its penalty by whole episodes: give at least two to learn from.")
    y, folds = np.asarray(returns, np.float64), np.searchsorted(names, episodes) % min(FOLDS, len(names))
    errors = np.zeros(len(RIDGES))
    for fold in range(int(folds.max()) + 1):
        own = folds == fold
        errors += ((_solved(features[~own], y[~own], features[own], RIDGES) - y[own]) ** 2).sum(1)
    best = max(ridge for ridge, error in zip(RIDGES, errors, strict=True) if error == errors.min())
    (told,) = _solved(features, y, asked, [best])
    return ProbeResult(_r2(told, truth, y), len(y), len(names), len(truth), ridge=best)


def knn_probe(
    features: Rows, returns: Values, asked: Rows, truth: Values, *, k: int = 10, episodes: int = 0
) -> ProbeResult:
    """The mean return of the k nearest by cosine of standardised features; all that are as near as the last of them
    share its place.

    features: (n, D), returns: (n,), asked: (m, D), truth: (m,). k: n at most. episodes: to be kept with the result.
    """
    _check(features, returns, asked, truth)
    y, k = np.asarray(returns, np.float64), min(k, len(returns))
    known, sought = (_unit(rows) for rows in _standard(features, features, asked))
    size = max(1, AT_ONCE // len(known))
    parts = (sought[start : start + size] for start in range(0, len(sought), size))
    told = np.concatenate([_mean_of_nearest(part @ known.T, y, k) for part in parts])
    return ProbeResult(_r2(told, truth, y), len(y), episodes, len(truth), k=k)


def _check(features: Rows, returns: Values, asked: Rows, truth: Values) -> None:
    if not len(returns) or not len(truth):
        raise UserError(
            "No step has a return that is known: episodes must end by themselves, or be longer than the horizon of "
            "--gamma; give a smaller --gamma."
        )
    if not (np.isfinite(features).all() and np.isfinite(asked).all()):
        raise UserError("Features are not finite: the encoder is damaged, or its run has diverged.")


def _standard(features: Rows, *sets: Rows) -> list[Wide]:
    """Rows by mean and deviation of the learned-from features, none beyond 10: units that hardly ever fire would decide
    all where they do. Features that do not vary become 0."""
    middle, spread = features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64)
    varies = spread > FLAT * np.abs(features).max(0)
    spread = np.where(varies, spread, np.inf)
    return [np.clip((rows - middle) / spread, -FARTHEST, FARTHEST) for rows in sets]


def _solved(features: Rows, y: Wide, asked: Rows, ridges: Sequence[float]) -> Wide:
    """What each ridge tells of `asked`, (ridges, m): from one decomposition, of the smaller of the two products."""
    x, z = _standard(features, features, asked)
    middle, count = y.mean(), len(y)
    if x.shape[1] <= count:
        values, vectors = np.linalg.eigh(x.T @ x)
        projected, out = vectors.T @ (x.T @ (y - middle)), z @ vectors
    else:
        values, vectors = np.linalg.eigh(x @ x.T)
        projected, out = vectors.T @ (y - middle), z @ (x.T @ vectors)
    return np.stack([middle + out @ (projected / (np.maximum(values, 0) + ridge * count)) for ridge in ridges])


def _unit(rows: Wide) -> Wide:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _mean_of_nearest(alike: Wide, y: Wide, k: int) -> Wide:
    """(m,), of cosines (m, n) and returns (n,)."""
    edge = np.partition(alike, -k, axis=1)[:, -k, None]
    nearer, tied = alike > edge + TIED, np.abs(alike - edge) <= TIED
    places = k - nearer.sum(1)
    return (nearer @ y + places / tied.sum(1) * (tied @ y)) / k


def _r2(told: Wide, truth: Values, y: Wide) -> float:
    wide = np.asarray(truth, np.float64)
    total = float(((wide - y.mean()) ** 2).sum())
    rounding = len(wide) * (TIED * max(np.abs(wide).max(), np.abs(y).max())) ** 2
    return 0.0 if total <= rounding else 1 - float(((told - wide) ** 2).sum()) / total
