"""Correspondence while the run goes on: whether the map finds a cell again in another crop. It needs no labels."""

from __future__ import annotations

import torch

from twofold.images.backbones import Backbone
from twofold.images.dense.correspondence import CorrespondenceScores, correspondence, pair_maker
from twofold.images.dense.maps import DenseFeatures, Mapper, RawPixels
from twofold.images.dense.pictures import some_pictures
from twofold.images.evaluation.features import InputSettings
from twofold.images.evaluation.floors import random_network
from twofold.images.evaluation.splits import Split
from twofold.images.jobs.online import PIXELS, UNTRAINED
from twofold.images.reading import Images
from twofold.runs.folder import RunFolder
from twofold.seam import Method, Monitor, Progress

MOST = 32  # images
CELLS = 4  # along a side of a view, at least
PROTOCOL, METRIC, CHANCE = "correspondence", "acc@1cell", "chance"


class OnlineCorrespondence(Monitor):
    """Share of the cells that are found again, at most a cell away: `dense.correspondence` without colour changes.

    It looks at one pair of crops of up to 32 images, the same throughout the run. side: of the crops in pixels, that of
    the run's views, or what makes 4 x 4 cells. Raises UserError where the backbone has no map.
    """

    def __init__(
        self, images: Images, backbone: Backbone, inputs: InputSettings, *, every_epochs: int, seed: int
    ) -> None:
        self.images, self.inputs, self.every_epochs, self.seed = images, inputs, every_epochs, seed
        self.stride = DenseFeatures(backbone, inputs).stride
        self.side = max(inputs.size, CELLS * self.stride)
        self.latest: CorrespondenceScores | None = None

    def __call__(self, method: Method, progress: Progress) -> dict[str, float]:
        self.latest = self.found(DenseFeatures(method.backbone, self.inputs))  # type: ignore[arg-type]
        return {"correspondence": self.latest.accuracy} if self.latest.cells else {}

    def found(self, mapper: Mapper) -> CorrespondenceScores:
        """The scores of a mapper on the fixed pairs; unreadable images are left out."""
        batches = some_pictures(self.images, 2 * self.side, self.seed, most=MOST)
        views = pair_maker(mapper, self.side, seed=self.seed)
        return correspondence(mapper, batches, views, skip=self.images.replaced)

    def floors(self, backbone: Backbone) -> dict[str, float]:
        """The accuracy of blocks of raw pixels, of the same network untrained, and of chance."""
        everything = torch.arange(len(self.images))
        untrained = random_network(backbone, Split(self.images, everything, everything), self.inputs, self.seed)
        pixels = self.found(RawPixels.like(DenseFeatures(backbone, self.inputs)))
        return {
            PIXELS: pixels.accuracy,
            UNTRAINED: self.found(DenseFeatures(untrained, self.inputs)).accuracy,
            CHANCE: pixels.chance,
        }

    def keep(self, folder: RunFolder, name: str, backbone: Backbone, epochs: int) -> None:
        """Measure the finished backbone beside its floors, print that and keep it. name: of the method. epochs: that
        it was trained for."""
        scores, source = self.found(DenseFeatures(backbone, self.inputs)), self.images.source
        if not scores.cells:
            folder.say("correspondence: the crops of these images share no cell, so nothing was measured.")
            return
        settings = f"crops of {self.side} px, cells of {self.stride} px, {scores.pairs} pairs"
        conditions = {
            "size": f"{self.inputs.size} px",
            "precision": self.inputs.precision,
            "epochs trained": epochs,
            "measured": "at the end of the run",
        }
        entry = {"protocol": PROTOCOL, "metric": METRIC, "settings": settings, "seed": self.seed, "data": source.path}
        entry |= {"conditions": conditions, "fingerprints": {"data": source.fingerprint()}}
        numbers = {name: scores.accuracy, **self.floors(backbone)}
        folder.add_evaluation(
            {**entry, "name": whose, "value": value, "floor": i > 0} for i, (whose, value) in enumerate(numbers.items())
        )
        shown = ", ".join(f"{whose} {value:.1%}" for whose, value in numbers.items())
        folder.say(f"correspondence ({settings}): {shown}")
