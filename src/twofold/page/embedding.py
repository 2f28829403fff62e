"""Features -> a 2-D map and nearest neighbours."""

from __future__ import annotations

import numpy as np

NEIGHBOURS = 7


def unit_rows(features: np.ndarray) -> np.ndarray:
    """`features` (n, d) with rows of length 1, float32; a row of zeros stays one."""
    features = np.asarray(features, dtype=np.float64)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return (features / np.maximum(lengths, 1e-12)).astype(np.float32)


def sample(count: int, limit: int) -> np.ndarray:
    """At most `limit` of `count` indices, rising, always the same ones."""
    if count <= limit:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, limit, replace=False))


def flat_map(unit: np.ndarray) -> np.ndarray | None:
    """t-SNE of unit rows (n, d) from a PCA start with a fixed seed: (n, 2) float32, each axis stretched to -1..1.

    None where there is nothing to lay out: fewer than 5 rows, or all rows equal. (van der Maaten and Hinton, 2008.)
    """
    if len(unit) < 5 or unit.shape[1] < 2 or float(np.ptp(unit, axis=0).max()) < 1e-6:
        return None
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if min(unit.shape) > 50:  # Fifty directions keep what neighbours depend on and cost a fraction.
        unit = PCA(50, svd_solver="randomized", random_state=0).fit_transform(unit)
    tsne = TSNE(2, init="pca", perplexity=min(30.0, (len(unit) - 1) / 3), random_state=0)
    with threadpool_limits(1):  # More threads gain little on so few points, and spin for minutes on a busy machine.
        points = tsne.fit_transform(unit)
    points = points - (points.max(axis=0) + points.min(axis=0)) / 2
    return (points / np.maximum(np.abs(points).max(axis=0), 1e-12)).astype(np.float32)


def nearest(unit: np.ndarray, rows: np.ndarray, count: int = NEIGHBOURS) -> tuple[np.ndarray, np.ndarray]:
    """The `count` nearest of unit rows (n, d) to each of `rows`, itself left out: indices and cosines, both
    (len(rows), at most count), most similar first, ties to the smaller index."""
    similar = unit[rows] @ unit.T
    similar[np.arange(len(rows)), rows] = -np.inf
    order = np.argsort(-similar, axis=1, kind="stable")[:, : min(count, len(unit) - 1)]
    return order, np.take_along_axis(similar, order, axis=1)


def agreement(unit: np.ndarray, labels: np.ndarray, count: int = NEIGHBOURS) -> float:
    """Share (0..1) of the `count` nearest neighbours of all labelled rows that carry the row's label (-1: no label)."""
    labelled = np.flatnonzero(labels >= 0)
    hits = total = 0
    for start in range(0, len(labelled), 512):
        rows = labelled[start : start + 512]
        found, _ = nearest(unit, rows, count)
        hits += int((labels[found] == labels[rows][:, None]).sum())
        total += found.size
    return hits / max(total, 1)


def queries(labels: np.ndarray | None, count: int, limit: int = 8) -> np.ndarray:
    """At most `limit` of `count` rows to show with their neighbours, the classes in turn where there are labels."""
    order = np.random.default_rng(1).permutation(count)
    if labels is None:
        return order[:limit]
    groups = [order[labels[order] == label] for label in np.unique(labels[labels >= 0])]
    turns = [group[turn] for turn in range(limit) for group in groups if turn < len(group)]
    return np.array(turns[:limit], dtype=int)
