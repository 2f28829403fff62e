"""kNN while the run goes on: how far the backbone is, by labels that training never sees."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from twofold.evaluation.accuracy import first_answers, majority_class
from twofold.evaluation.knn import balanced_folds, fitting_k_of_folds, knn_of_folds
from twofold.randomness import generator
from twofold.runs.screen import OnProgress
from twofold.seam import Method, Monitor, Progress
from twofold.videos.backbones import Backbone
from twofold.videos.evaluation.features import InputSettings, extract, readable
from twofold.videos.evaluation.floors import frame_features, random_network
from twofold.videos.reading.clips import READ, Clips
from twofold.videos.reading.copies import marks

MOST = {"cpu": 500, "cuda": 5_000}
CLIPS = 2  # of a video, while the run goes on
FRAMES, UNTRAINED, MAJORITY = "raw frames", "untrained network", "majority class"
SHOWN = {
    "epoch": "epoch {:.4g}",
    "loss": "loss {:.4g}",
    "knn": "kNN {:.1%}",
    "videos_per_second": "{:,.1f} videos/s",
    "wait_share": "{:.0%} waiting for data",
    READ: "{:,.3g} kB read a clip",
}


class OnlineKNN(Monitor):
    """kNN accuracy of the features of labelled videos, the mean of two clips each: class-balanced folds, each asked of
    the others, k by `knn.fitting_k_of_folds`. At most 500 videos (5,000 on a GPU), the same throughout the run. Folds
    do not part sources: where videos were cut from common ones, whole sources are folds.
    """

    def __init__(self, clips: Clips, inputs: InputSettings, *, every_epochs: int, seed: int) -> None:
        self.clips, self.inputs, self.every_epochs, self.seed = clips, inputs.with_clips(CLIPS), every_epochs, seed
        labels = torch.from_numpy(clips.source.labels)
        rows = (labels >= 0).nonzero()[:, 0]
        most = MOST.get(torch.device(inputs.device).type, MOST["cpu"])
        order = torch.randperm(len(rows), generator=generator(seed, "online kNN"))[:most].sort().values
        self.indices = rows[order]
        _, self.labels = labels[self.indices].unique(return_inverse=True)
        self.folds = self._folds()
        self.k = fitting_k_of_folds(self.labels, self.folds)

    def __call__(self, method: Method, progress: Progress) -> dict[str, float]:
        return {"knn": self.accuracy(self.features(method.backbone, self.on_progress))["top1"]}

    def features(self, backbone: nn.Module, on_progress: OnProgress | None = None) -> Tensor:
        """The features of the videos that are asked."""
        return extract(backbone, self.clips, self.inputs, self.indices, on_progress)

    def accuracy(self, rows: Tensor) -> dict[str, float]:
        """{"top1": share of right answers, "balanced": mean over the classes, where they are unequal}, 0 to 1."""
        keep = readable(self.clips, self.indices)
        predicted = knn_of_folds(rows[keep], self.labels[keep], self.folds[keep], k=self.k)
        return first_answers(predicted, self.labels[keep])

    def count(self) -> int:
        """How many of the videos that are asked can be read."""
        return int(readable(self.clips, self.indices).sum())

    def floors(self, backbone: Backbone) -> dict[str, dict[str, float]]:
        """The same question put to raw frames and to the same network untrained; and the largest class."""
        frames = frame_features(self.clips, self.inputs, self.indices)
        untrained = random_network(backbone, self.clips, self.inputs, self.indices, self.seed)
        labels = self.labels[readable(self.clips, self.indices)]
        largest = majority_class(labels, labels, int(labels.max()) + 1)
        return {
            FRAMES: self.accuracy(frames - frames.mean(0)),
            UNTRAINED: self.accuracy(self.features(untrained)),
            MAJORITY: {metric: value for metric, value in largest.items() if metric != "top5"},
        }

    def _folds(self) -> Tensor:
        source, rows = self.clips.source, self.indices.tolist()
        same = marks(source, rows)
        groups = [source.items[i].group or f"\0{same.get(i, i)}" for i in rows]
        distinct = sorted(set(groups))
        if len(distinct) == len(groups):
            return balanced_folds(self.labels, self.seed)
        drawn = np.random.default_rng(self.seed).permutation(len(distinct)) % min(5, len(distinct))
        fold = dict(zip(distinct, drawn.tolist(), strict=True))
        return torch.tensor([fold[group] for group in groups])
