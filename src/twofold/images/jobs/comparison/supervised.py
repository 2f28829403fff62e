"""The ceiling of a comparison: the same network trained with the labels, for as many epochs, by the same seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from twofold.files import write_json
from twofold.images.backbones import build_backbone
from twofold.images.evaluation.features import InputSettings
from twofold.images.evaluation.finetune import FinetuneRecipe, finetune
from twofold.images.jobs.evaluate import open_splits
from twofold.images.views.recipes import statistics_named
from twofold.randomness import derive
from twofold.runs.screen import progress_bar


def result_file(out: Path, seed: int) -> Path:
    """Where the result for a seed is kept."""
    return out / f"supervised-seed{seed}.json"


def train_supervised(
    file: Path, training: Mapping[str, Any], statistics: str, epochs: int, given: Mapping[str, Any]
) -> None:
    """Fine-tune random weights and write {"top1", ...} of the test images, with the settings, to `file`.

    training: what `pretrain` is given (backbone, stem, batch_size, image_size, precision). given: what `api.evaluate`
    takes. The batch shrinks to an eighth of the labels, as fine-tuning has it.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    size, seed = training["image_size"], given["seed"]
    inputs = InputSettings(size, *statistics_named(statistics), device=device, precision=training["precision"])
    train, test, classes = open_splits(given, inputs)
    torch.manual_seed(derive(seed, "weights"))
    backbone = build_backbone(training["backbone"], image_size=size, stem=training["stem"])
    recipe = FinetuneRecipe(batch_size=training["batch_size"])
    with progress_bar("training with labels", given["quiet"]) as progress:
        found = finetune(
            backbone, train, test, classes, inputs, recipe=recipe, epochs=epochs, seed=seed, progress=progress
        )
    about = {"epochs": epochs, "images": len(train), "asked": len(test), "data": given["test"] or given["data"]}
    write_json(file, {**found, "seed": seed, **about})


def read_supervised(file: Path) -> dict[str, Any] | None:
    """The result in `file`, or None where there is none yet."""
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
