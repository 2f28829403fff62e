"""What is measured on labelled images, and the features that it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial

from torch import Tensor

from twofold.evaluation.knn import fitting_k
from twofold.images.backbones import Backbone
from twofold.images.embed import schema_for
from twofold.images.evaluation.features import extract
from twofold.images.evaluation.floors import pixels, random_network, statistics_of_pixels
from twofold.images.evaluation.splits import Split
from twofold.images.jobs.model import Model
from twofold.images.jobs.online import PIXEL_SIDE, PIXELS, UNTRAINED, knn_settings
from twofold.pixels.sharding import about_vectors
from twofold.pixels.shared_features import Pair, digest, paired
from twofold.pixels.views.augmentations import Statistics
from twofold.runs.screen import OnProgress

DETAILS = {"5nn": "Euclidean, majority", "linear": "Adam on cached features, 500 epochs"}


@dataclass(frozen=True)
class Task:
    """What is measured, on what: the model, the labelled images to learn from and to test on, and how."""

    model: Model
    train: Split
    test: Split
    classes: int
    seed: int
    epochs: int | None
    floors: bool
    on_progress: OnProgress

    @property
    def name(self) -> str:
        """How results call the model."""
        return self.model.method or self.model.name

    @cached_property
    def untrained(self) -> Backbone:
        """The same network with random weights."""
        return random_network(self.model.backbone, self.train, self.model.inputs, self.seed)

    def details(self, protocol: str) -> str:
        """The settings of a protocol in words; for "knn" once the images have been read."""
        if protocol == "knn":
            return knn_settings(fitting_k(self.train.read_labels()))
        return DETAILS.get(protocol, "")

    def extractions(self) -> dict[str, Pair]:
        """The features of each side, to learn from and to test on: the model, and its floors where these are wanted."""
        backbone, images = self.model.backbone, self.train.images
        inputs, side = self.model.inputs, min(PIXEL_SIDE, self.model.inputs.size)

        @cache
        def weights() -> str:
            return about_vectors(schema_for(backbone, images, inputs), backbone)

        def start() -> str:  # calibrated on the images to learn from
            return digest(
                f"{about_vectors(schema_for(backbone, images, inputs), None)} {self.seed}", self.train.indices
            )

        found = {self.name: self._pair("model", weights, partial(self._of, lambda: backbone))}
        if self.floors:
            statistics = statistics_of_pixels(images, inputs)
            about = f"{side} px {statistics or ''}"
            found[PIXELS] = self._pair("pixels", lambda: about, partial(_of_pixels, side, statistics))
            found[UNTRAINED] = self._pair("untrained", start, partial(self._of, lambda: self.untrained))
        return found

    def _pair(self, name: str, about: Callable[[], str], rows: Callable[..., Tensor]) -> Pair:
        def whole(split: Split) -> str:
            return f"{about()} {split.images.source.fingerprint()} {split.images.source.pixels}"

        splits = (self.train, self.test)
        return paired(name, splits, lambda split: split.images, whole, rows, self.model.inputs.batch_size)

    def _of(self, network: Callable[[], Backbone], split: Split, indices: Tensor, on_progress: OnProgress) -> Tensor:
        return extract(network(), split.images, self.model.inputs, indices=indices, on_progress=on_progress)


def _of_pixels(
    side: int, statistics: Statistics | None, split: Split, indices: Tensor, on_progress: OnProgress
) -> Tensor:
    return pixels(split.images, indices, side=side, statistics=statistics)
