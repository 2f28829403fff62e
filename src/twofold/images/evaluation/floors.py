"""Floors: what raw pixels and an untrained network reach, so that a trained one has something to beat."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from twofold.evaluation.floors import untrained
from twofold.images.backbones import Backbone, rebuild_backbone
from twofold.images.evaluation.features import InputSettings
from twofold.images.evaluation.splits import Split
from twofold.images.reading import Images
from twofold.pixels.views.augmentations import Statistics
from twofold.pixels.views.views import evaluation_view
from twofold.randomness import derive

CALIBRATION_BATCHES = 4


def pixels(
    images: Images, indices: Tensor, *, side: int = 32, batch_size: int = 512, statistics: Statistics | None = None
) -> Tensor:
    """Centre crops shrunk to side x side as vectors: float32 (n, C * side * side) in [0, 1], on the CPU.

    statistics: what they are normalised with, where they are.
    """
    parts, count = indices.split(batch_size), images.source.pixels.count
    mean, std = statistics or ((0.0,) * count, (1.0,) * count)
    return torch.cat([evaluation_view(b, mean, std).flatten(1).cpu() for b in images.centres(side).stream(parts)])


def statistics_of_pixels(images: Images, inputs: InputSettings) -> Statistics | None:
    """What raw pixels are normalised with: as the network's input where channels are kept as they are, so that none
    counts for more by being brighter; else nothing."""
    return (inputs.mean, inputs.std) if images.source.pixels.channels else None


def pixel_features(split: Split, side: int, inputs: InputSettings) -> tuple[Tensor, Tensor]:
    """(pixels, labels) of the images that can be read. inputs: of the network."""
    found = pixels(split.images, split.indices, side=side, statistics=statistics_of_pixels(split.images, inputs))
    keep = split.readable()
    return found[keep], split.labels[keep]


def centred(bank: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """All minus the mean row of `bank`: the cosine of vectors without a negative entry says little before."""
    mean = bank.mean(0)
    return (bank - mean, *(other - mean for other in others))


def random_network(backbone: Backbone, split: Split, inputs: InputSettings, seed: int = 0) -> Backbone:
    """The same network with new random weights, calibrated (`calibrated`) on images of a split drawn by the seed."""
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(derive(seed, "calibration")))
    parts = split.indices[order].split(inputs.batch_size)[:CALIBRATION_BATCHES]
    batches = split.images.centres(inputs.size).stream([p for p in parts if len(p) > 1])
    views = (evaluation_view(batch.to(inputs.device), inputs.mean, inputs.std) for batch in batches)
    return calibrated(backbone, views, inputs, seed)


def calibrated(backbone: Backbone, views: Iterable[Tensor], inputs: InputSettings, seed: int = 0) -> Backbone:
    """The same network with new random weights and a map of the same stage, calibrated on a few batches (B, 3, H, W);
    see `floors.untrained`."""

    def made() -> Backbone:
        again = rebuild_backbone(backbone.blueprint())
        if backbone.stage:
            again.take_stage(backbone.stage)
        return again

    return untrained(made, views, inputs.device, seed)
