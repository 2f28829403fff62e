"""kNN while the run goes on: how far the backbone is, by labels that training never sees."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from twofold.evaluation.accuracy import first_answers, majority_class
from twofold.evaluation.knn import (
    TEMPERATURE,
    balanced_folds,
    fitting_k,
    fitting_k_of_folds,
    knn_of_folds,
    knn_predict,
)
from twofold.images.evaluation.features import InputSettings
from twofold.images.evaluation.floors import centred, pixel_features, random_network
from twofold.images.evaluation.splits import Split, labelled, numbered, remarks
from twofold.images.reading import Images
from twofold.randomness import generator
from twofold.runs.screen import OnProgress
from twofold.seam import Method, Monitor, Progress

BANK, QUERIES = {"cpu": 2_000, "cuda": 50_000}, {"cpu": 1_000, "cuda": 10_000}
SHOWN = {
    "epoch": "epoch {:.4g}",
    "loss": "loss {:.4g}",
    "knn": "kNN {:.1%}",
    "correspondence": "correspondence {:.1%}",
    "images_per_second": "{:,.0f} images/s",
    "wait_share": "{:.0%} waiting for data",
}  # while a run goes on
PIXEL_SIDE = 32
PIXELS, UNTRAINED, MAJORITY = "raw pixels", "untrained network", "majority class"

Labelled = tuple[Tensor, Tensor]


def knn_settings(k: int) -> str:
    """How results and messages name the settings of a kNN."""
    return f"k {k}, T {TEMPERATURE:g}"


class OnlineKNN(Monitor):
    """kNN accuracy of the backbone's features on un-augmented images, k by `knn.fitting_k`, temperature 0.1.

    Without test images (`val`), the bank is cut into class-balanced folds, each asked of all the others. Bank and
    queries are random subsets of at most 2,000 and 1,000 images (50,000 and 10,000 on a GPU), the same throughout the
    run. notes: what was guessed about `val`, a sentence each. latest: what was measured last, {"top1", "balanced" where
    classes are unequal}.
    """

    def __init__(
        self, images: Images, val: Images | None, inputs: InputSettings, *, every_epochs: int, seed: int
    ) -> None:
        kind = torch.device(inputs.device).type
        self.inputs, self.every_epochs, self.seed = inputs, every_epochs, seed
        self.notes = remarks(images.source, val.source) if val else []
        bank = _some(labelled(images), BANK.get(kind, BANK["cpu"]), seed)
        asked = [_some(labelled(val, images.source.classes), QUERIES.get(kind, QUERIES["cpu"]), seed)] if val else []
        (self.bank, *queries), self.classes = numbered(bank, *asked)
        self.queries = queries[0] if queries else None
        self.k = fitting_k(self.bank.labels) if queries else self._fitting_folds(self.bank.labels)[1]
        self.latest: dict[str, float] = {}

    def __call__(self, method: Method, progress: Progress) -> dict[str, float]:
        self.latest = self.accuracy(*self.features(method.backbone, self.on_progress))
        return {"knn": self.latest["top1"]}

    def features(self, backbone: nn.Module, on_progress: OnProgress | None = None) -> tuple[Labelled, Labelled | None]:
        """(features, labels) of the bank and of the queries, if any."""
        asked = self.queries.features(backbone, self.inputs, on_progress) if self.queries else None
        return self.bank.features(backbone, self.inputs, on_progress), asked

    def accuracy(self, bank: Labelled, queries: Labelled | None) -> dict[str, float]:
        """{"top1": share of right answers, "balanced": mean over the classes, where they are unequal}, 0 to 1."""
        rows, labels = bank
        if queries is None:
            folds, _ = self._fitting_folds(labels)
            predicted = knn_of_folds(rows, labels, folds, k=self.k)
            return first_answers(predicted, labels)
        asked, truth = queries
        return first_answers(knn_predict(asked, rows, labels, k=self.k)[:, 0], truth)

    def floors(self, backbone: nn.Module) -> dict[str, dict[str, float]]:
        """The same question put, with the same k, to raw pixels and to the same network untrained; and the largest
        class as the answer to everything."""
        side = min(PIXEL_SIDE, self.inputs.size)
        bank = pixel_features(self.bank, side, self.inputs)
        queries = pixel_features(self.queries, side, self.inputs) if self.queries else None
        rows, *asked = centred(bank[0], *([queries[0]] if queries else []))
        seen, question = (rows, bank[1]), (asked[0], queries[1]) if queries else None
        untrained = random_network(backbone, self.bank, self.inputs, self.seed)  # type: ignore[arg-type]
        largest = majority_class(bank[1], (queries or bank)[1], self.classes)
        return {
            PIXELS: self.accuracy(seen, question),
            UNTRAINED: self.accuracy(*self.features(untrained)),
            MAJORITY: {metric: value for metric, value in largest.items() if metric != "top5"},
        }

    def _fitting_folds(self, labels: Tensor) -> tuple[Tensor, int]:
        folds = balanced_folds(labels, self.seed)
        return folds, fitting_k_of_folds(labels, folds)


def _some(split: Split, most: int, seed: int) -> Split:
    if len(split) <= most:
        return split
    return split.take(torch.randperm(len(split), generator=generator(seed, "online kNN"))[:most])
