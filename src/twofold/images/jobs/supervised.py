"""The ceiling of a comparison: the same network trained with the labels, for as many epochs, by the same seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from twofold.comparison.ceiling import KeptCeiling
from twofold.images.backbones import build_backbone
from twofold.images.evaluation.features import InputSettings
from twofold.images.evaluation.finetune import FinetuneRecipe, finetune
from twofold.images.jobs.evaluate import open_splits
from twofold.images.options import Evaluate, Pretrain
from twofold.pixels.batch import RGB
from twofold.pixels.views.channels import statistics_of
from twofold.randomness import derive
from twofold.runs.screen import progress_bar


@dataclass
class Supervised(KeptCeiling):
    """Fine-tunes random weights, and keeps {"top1", ...} of the test images for each seed in the folder.

    training: the options of the runs (backbone, stem, batch size, image size, precision). statistics: normalisation of
    the input. measuring: which images have labels and which are tested on. The batch shrinks to an eighth of the
    labels, like in fine-tuning.
    """

    folder: Path
    data: str
    training: Pretrain
    statistics: str
    measuring: Evaluate

    def train(self, seed: int, epochs: int) -> dict[str, Any]:
        """See `comparison.ceiling`: the network's own accuracy, in every column of the same metric."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        training, measuring, size = self.training, replace(self.measuring, seed=seed), self.training.image_size
        channels = measuring.channels if isinstance(measuring.channels, int) else RGB
        statistics = statistics_of(self.statistics, channels)
        inputs = InputSettings(cast(int, size), *statistics, device=device, precision=training.precision)
        train, test, classes = open_splits(self.data, measuring, inputs)
        torch.manual_seed(derive(seed, "weights"))
        backbone = build_backbone(training.backbone, image_size=inputs.size, stem=training.stem, channels=channels)
        recipe = FinetuneRecipe(batch_size=cast(int, training.batch_size))
        with progress_bar("training with labels", measuring.quiet) as on_progress:
            found = finetune(
                backbone, train, test, classes, inputs, recipe=recipe, epochs=epochs, seed=seed, on_progress=on_progress
            )
        return {**found, "images": len(train), "asked": len(test), "data": measuring.test or self.data}
