"""Some queries of a retrieval with the videos that were found nearest, for the report page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from twofold.page.embedding import queries
from twofold.printable import printable
from twofold.videos.evaluation.features import InputSettings
from twofold.videos.evaluation.splits import Split
from twofold.videos.jobs.samples import films

QUERIES, NEAREST = 6, 5
SIDE, FRAMES = 64, 6  # of the pictures that are kept


@dataclass(frozen=True)
class Neighbours:
    """train, test: what was learned from and tested on. rows, cosines: (n, k) of the readable videos of both, nearest
    first; a cosine of minus infinity is of a video that may not answer."""

    train: Split
    test: Split
    rows: Tensor
    cosines: Tensor

    def arrays(self, inputs: InputSettings, asked: str) -> dict[str, np.ndarray]:
        """The arrays of retrieved.npz, of at most 6 queries of all classes in turn.

        films: uint8 (m, T, S, S, 3), queries first; names, kinds: of each, its class in words. found: int64 (q, k),
        numbers of films, -1 for none. same: bool (q, k), whether of the query's class. cosines: float64 (q, k). counts:
        how many queries and how many videos to answer there were. asked: the data that the queries are of.
        """
        known, of = (split.take(split.readable()) for split in (self.train, self.test))
        chosen = torch.from_numpy(queries(of.labels.numpy(), len(of), QUERIES))
        rows, cosines = self.rows[chosen], self.cosines[chosen]
        shown, place = rows.unique(return_inverse=True)
        sides = [(of, chosen), (known, shown)]
        pictures = [films(split.clips, inputs, split.indices[own], SIDE, FRAMES) for split, own in sides]
        words = [word for split, own in sides for word in _words(split.take(own))]
        return {
            "films": np.concatenate(pictures),
            "names": np.array([name for name, _ in words]),
            "kinds": np.array([kind for _, kind in words]),
            "found": torch.where(cosines > -torch.inf, place + len(chosen), -1).numpy(),
            "same": (known.labels[rows] == of.labels[chosen][:, None]).numpy(),
            "cosines": cosines.clamp(min=-1).numpy(),
            "counts": np.array([len(of), len(known)]),
            "asked": np.array(printable(asked)),
        }


def _words(split: Split) -> list[tuple[str, str]]:
    """Name and class of each video."""
    source = split.clips.source
    items, classes = [source.items[i] for i in split.indices.tolist()], source.classes or []
    return [(printable(item.name), printable(classes[item.label]) if classes else str(item.label)) for item in items]
