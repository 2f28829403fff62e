"""kNN while the run goes on: how far the backbone is, by labels that training never sees."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from twofold.evaluation.knn import knn_accuracy, leave_one_out_knn
from twofold.images.evaluation.features import InputSettings
from twofold.images.evaluation.floors import centred, pixel_features, random_network
from twofold.images.evaluation.splits import Split, labelled
from twofold.images.reading import Images
from twofold.randomness import generator
from twofold.seam import Method, Monitor, Progress

BANK, QUERIES = {"cpu": 2_000, "cuda": 50_000}, {"cpu": 1_000, "cuda": 10_000}
SHOWN = {
    "epoch": "epoch {:.4g}",
    "loss": "loss {:.4g}",
    "knn": "kNN {:.1%}",
    "images_per_second": "{:,.0f} images/s",
    "wait_share": "{:.0%} waiting for data",
}  # while a run goes on
PIXEL_SIDE = 32
PIXEL_SETTINGS = ((200, 0.1), (20, 0.07))  # the networks' own, and one that suits pixels better

Labelled = tuple[Tensor, Tensor]


class OnlineKNN(Monitor):
    """kNN accuracy (k 200, temperature 0.1) of the backbone's features on un-augmented images.

    Without test images (`val`), each image of the bank is compared with all others. Bank and queries are random
    subsets of at most 2,000 and 1,000 images (50,000 and 10,000 on a GPU), the same throughout the run.
    """

    def __init__(
        self, images: Images, val: Images | None, inputs: InputSettings, *, every_epochs: int, seed: int
    ) -> None:
        kind = torch.device(inputs.device).type
        self.inputs, self.every_epochs, self.seed = inputs, every_epochs, seed
        self.classes = images.source.classes
        self.bank = _some(labelled(images), BANK.get(kind, BANK["cpu"]), seed)
        self.queries = _some(labelled(val, self.classes), QUERIES.get(kind, QUERIES["cpu"]), seed) if val else None

    def __call__(self, method: Method, progress: Progress) -> dict[str, float]:
        return {"knn": self.accuracy(*self.features(method.backbone))}

    def features(self, backbone: nn.Module) -> tuple[Labelled, Labelled | None]:
        """(features, labels) of the bank and of the queries, if any."""
        asked = self.queries.features(backbone, self.inputs) if self.queries else None
        return self.bank.features(backbone, self.inputs), asked

    def accuracy(self, bank: Labelled, queries: Labelled | None, k: int = 200, temperature: float = 0.1) -> float:
        """Share of right answers, 0 to 1."""
        (rows, labels), classes = bank, int(bank[1].max()) + 1
        if queries is None:
            return leave_one_out_knn(rows, labels, k=k, temperature=temperature, classes=classes)
        return knn_accuracy(*queries, rows, labels, k=k, temperature=temperature, classes=classes)

    def floors(self, backbone: nn.Module) -> dict[str, float]:
        """The same question put to raw pixels (at the better of two settings) and to the same network untrained."""
        side = min(PIXEL_SIDE, self.inputs.size)
        bank = pixel_features(self.bank, side)
        queries = pixel_features(self.queries, side) if self.queries else None
        rows, *asked = centred(bank[0], *([queries[0]] if queries else []))
        seen, question = (rows, bank[1]), (asked[0], queries[1]) if queries else None
        pixels = max(self.accuracy(seen, question, k, t) for k, t in PIXEL_SETTINGS)
        untrained = random_network(backbone, self.bank, self.inputs, self.seed)  # type: ignore[arg-type]
        return {"raw pixels": pixels, "untrained network": self.accuracy(*self.features(untrained))}


def _some(split: Split, most: int, seed: int) -> Split:
    if len(split) <= most:
        return split
    return split.take(torch.randperm(len(split), generator=generator(seed, "online kNN"))[:most])
