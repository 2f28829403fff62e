"""The ceiling of a comparison: the same network trained with the labels, for as many epochs, by the same seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from twofold.comparison.ceiling import KeptCeiling
from twofold.pixels.views.augmentations import statistics_named
from twofold.randomness import derive
from twofold.runs.screen import progress_bar
from twofold.videos.backbones import build_backbone
from twofold.videos.evaluation.features import InputSettings
from twofold.videos.evaluation.finetune import FinetuneRecipe, finetune
from twofold.videos.jobs.evaluate import measure, open_splits
from twofold.videos.jobs.model import Model
from twofold.videos.options import Evaluate, Pretrain

BY_FEATURES = ("retrieval", "background")  # protocols that no classifier answers


@dataclass
class Supervised(KeptCeiling):
    """Fine-tunes random weights, and keeps {"top1", ..., "retrieval R@1", ...} of the test videos for each seed.

    training: the options of the runs (backbone, stem, batch size, clips, precision). measuring: which videos have
    labels, which are tested on, and the stride of clips. protocols: of the comparison. The batch shrinks to a quarter
    of the labels, like in fine-tuning.
    """

    folder: Path
    data: str
    training: Pretrain
    measuring: Evaluate
    protocols: Sequence[str]

    def train(self, seed: int, epochs: int) -> dict[str, Any]:
        """See `comparison.ceiling`: the accuracy of its own classifier, and, for retrieval, of its features."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        training, measuring = self.training, replace(self.measuring, seed=seed, floors=False)
        inputs = InputSettings(
            cast(int, training.image_size),
            cast(int, training.frames),
            cast(int, measuring.stride),
            *statistics_named(training.statistics),
            fps=measuring.fps,
            clips=measuring.clips,
            device=device,
            precision=measuring.precision,
            batch_size=measuring.batch_size,
        )
        train, test, classes = open_splits(self.data, measuring, inputs)
        torch.manual_seed(derive(seed, "weights"))
        backbone = build_backbone(training.backbone, clip_size=inputs.size, frames=inputs.frames, stem=training.stem)
        recipe = FinetuneRecipe(batch_size=cast(int, training.batch_size))
        with progress_bar("training with labels", measuring.quiet) as on_progress:
            learned = finetune(
                backbone, train, classes, inputs, recipe=recipe, epochs=epochs, seed=seed, on_progress=on_progress
            )
        found = learned.accuracies(test, inputs, measuring.average)
        asked = [name for name in self.protocols if name in BY_FEATURES]
        model = Model(learned.network, inputs, self.name, self.name, None)
        rows = measure(model, asked, self.data, measuring) if asked else []
        found |= {f"{row['protocol']} {row['metric']}": row["value"] for row in rows if row["name"] == self.name}
        return {**found, "videos": len(train), "asked": len(test), "data": measuring.test or self.data}
