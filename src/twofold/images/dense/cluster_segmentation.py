"""Segmentation by clusters of cells: whether classes lie apart in the map without anybody saying which they are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.images.dense.clusters import best_matching, kmeans, scores
from twofold.images.dense.grid import unit
from twofold.images.dense.linear_segmentation import OnMask
from twofold.images.dense.maps import Mapped, MapSet
from twofold.images.evaluation.iou import Confusion, SegmentationScores, pair_counts
from twofold.randomness import generator
from twofold.runs.screen import OnProgress

MOST_CELLS = 50_000  # that k-means looks at
OVER = 5  # clusters a class in the over-clustering variant


@dataclass(frozen=True)
class ClusterSegmentation:
    """matched: as many clusters as classes, matched one to one on the test pictures. voted: `clusters` clusters, five a
    class, each standing for the class that most of its pixels have in the training pictures."""

    matched: SegmentationScores
    voted: SegmentationScores
    clusters: int


def cluster_segmentation(
    train: MapSet,
    test: MapSet,
    *,
    seed: int = 0,
    on_progress: OnProgress | None = None,
    on_mask: OnMask | None = None,
) -> ClusterSegmentation:
    """k-means over unit cells of the training pictures (at most 50,000, an equal share of each), assigned to the test
    pictures' pixels by enlarging the (linear) scores of the clusters.

    The one-to-one matching is the best possible on the test masks, as is customary: it uses them to name clusters.
    on_mask: sees the voted answer for each test picture.
    """
    classes = train.data.classes
    cells = some_cells(train, seed)
    draws = generator(seed, "clusters")
    few, many = (kmeans(cells, count, draws) for count in (len(classes), OVER * len(classes)))
    total = len(train) + 2 * len(test)

    def tell(done: int) -> None:
        if on_progress:
            on_progress(done, total)

    met = torch.zeros(len(classes), len(many), dtype=torch.int64)
    for done, made in enumerate(train.stream(range(len(train))), 1):
        met += pair_counts(train.mask(made.number), _clusters(made, many), len(classes), len(many))
        tell(done)
    vote = met.argmax(0)
    square, voted = torch.zeros(len(classes), len(classes), dtype=torch.int64), Confusion(classes)
    for done, made in enumerate(test.stream(range(len(test))), 1):
        truth = test.mask(made.number)
        square += pair_counts(truth, _clusters(made, few), len(classes))
        answer = vote[_clusters(made, many)]
        voted.add(truth, answer)
        if on_mask:
            on_mask(made.number, answer)
        tell(len(train) + 2 * done)
    matched = Confusion(classes)
    matched.counts = square[:, best_matching(square)]
    return ClusterSegmentation(matched.scores(), voted.scores(), len(many))


def some_cells(maps: MapSet, seed: int, most: int = MOST_CELLS) -> Tensor:
    """Unit cells (n, C) of the pictures, at most `most` in all, an equal number of each drawn by the seed."""
    each = max(most // max(len(maps), 1), 1)
    found = []
    for made in maps.stream(range(len(maps))):
        cells = unit(made.map.flatten(1).T)
        drawn = torch.randperm(len(cells), generator=generator(seed, "clustered cells", made.number))[:each]
        found.append(cells[drawn.to(cells.device)])
    return torch.cat(found)


def _clusters(made: Mapped, centres: Tensor) -> Tensor:
    """int64 (H, W), on the CPU: the cluster of each pixel of a picture."""
    cells = unit(made.map.flatten(1).T)
    by_cluster = scores(cells, centres).T.unflatten(1, made.map.shape[1:])
    return made.grid.largest(by_cluster).cpu()
