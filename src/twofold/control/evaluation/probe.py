"""How much of the returns features tell: ridge regression and nearest neighbours, on episodes not learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twofold.errors import UserError
from twofold.randomness import derive

RIDGES = tuple(10.0**power for power in range(-3, 7))  # of the penalty, per step
FOLDS = 5
FARTHEST = 10.0  # deviations from the mean that a feature may be
BLOCK = 2048  # steps whose neighbours are sought at once
Rows = NDArray[np.floating]
Values = NDArray[np.floating]


@dataclass(frozen=True)
class ProbeResult:
    """r2: 1 minus the squared error over that of the learned-from mean; at most 0 where nothing is told. setting: the
    ridge, or the neighbours. steps, episodes: that it learned from; asked: steps it was asked about."""

    r2: float
    setting: str
    steps: int
    episodes: int
    asked: int

    def describe(self) -> str:
        """What was used, in words."""
        learned = f"learned from {self.steps:,} steps of {self.episodes:,} episodes"
        return f"{self.setting}, {learned}, asked about {self.asked:,}"


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

    features: (n, D), returns: (n,), episodes: (n,), of which episode each is. asked: (m, D), truth: (m,).
    """
    _check(features, returns, asked, truth)
    names = np.unique(episodes)
    if len(names) < 2:
        raise UserError("A linear probe chooses its penalty by whole episodes: give at least two to learn from.")
    folds = np.searchsorted(names, episodes) % min(FOLDS, len(names))
    errors = np.zeros(len(RIDGES))
    for fold in range(int(folds.max()) + 1):
        own = folds == fold
        told = _solved(features[~own], returns[~own], features[own])
        errors += ((told - np.asarray(returns[own], np.float64)) ** 2).sum(1)
    best = int(errors.argmin())
    baseline = ((returns - np.mean(returns, dtype=np.float64)) ** 2).sum()
    told = _solved(features, returns, asked)[best]
    if errors[best] >= baseline:  # nothing is told even of the episodes learned from
        told = np.full(len(truth), np.mean(returns, dtype=np.float64))
    return ProbeResult(_r2(told, truth, returns), f"ridge {RIDGES[best]:g}", len(returns), len(names), len(truth))


def knn_probe(
    features: Rows, returns: Values, asked: Rows, truth: Values, *, k: int = 10, episodes: int = 0
) -> ProbeResult:
    """The mean return of the k nearest by cosine of standardised features."""
    _check(features, returns, asked, truth)
    k = min(k, len(returns))
    known, sought = _standard(features, features), _standard(features, asked)
    known, sought = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (known, sought))
    told = np.empty(len(truth))
    for start in range(0, len(truth), BLOCK):
        alike = sought[start : start + BLOCK] @ known.T
        nearest = np.argpartition(-alike, k - 1, axis=1)[:, :k]
        told[start : start + BLOCK] = np.asarray(returns, np.float64)[nearest].mean(1)
    return ProbeResult(_r2(told, truth, returns), f"k {k}", len(returns), episodes, len(truth))


def _check(features: Rows, returns: Values, asked: Rows, truth: Values) -> None:
    if not len(returns) or not len(truth):
        raise UserError(
            "No step has a return that is known: episodes must end by themselves, or be longer than the horizon of "
            "--gamma; give a smaller --gamma."
        )
    if not (np.isfinite(features).all() and np.isfinite(asked).all()):
        raise UserError("Features are not finite: the encoder is damaged, or its run has diverged.")


def _standard(features: Rows, rows: Rows) -> NDArray[np.float32]:
    """Rows by mean and deviation of the learned-from features, none beyond 10: units that hardly ever fire would decide
    all where they do."""
    spread = features.std(0)
    scaled = (rows - features.mean(0)) / np.where(spread > 1e-8, spread, np.inf)
    return np.clip(scaled, -FARTHEST, FARTHEST).astype(np.float32)


def _solved(features: Rows, returns: Values, asked: Rows) -> NDArray[np.float64]:
    """What each ridge tells of `asked`, (ridges, m): from one decomposition, of the smaller of the two products."""
    x, z = (_standard(features, rows).astype(np.float64) for rows in (features, asked))
    y = np.asarray(returns, np.float64)
    middle, count = y.mean(), len(y)
    if x.shape[1] <= count:
        values, vectors = np.linalg.eigh(x.T @ x)
        projected, out = vectors.T @ (x.T @ (y - middle)), z @ vectors
    else:
        values, vectors = np.linalg.eigh(x @ x.T)
        projected, out = vectors.T @ (y - middle), z @ (x.T @ vectors)
    return np.stack([middle + out @ (projected / (np.maximum(values, 0) + ridge * count)) for ridge in RIDGES])


def _r2(told: NDArray[np.float64], truth: Values, returns: Values) -> float:
    truth = np.asarray(truth, np.float64)
    total = float(((truth - np.mean(returns, dtype=np.float64)) ** 2).sum())
    return 0.0 if total <= 0 else 1 - float(((told - truth) ** 2).sum()) / total
