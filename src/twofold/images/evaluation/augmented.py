"""Epochs of randomly cropped and mirrored images, the augmentation of linear evaluation and fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from twofold.images.evaluation.features import InputSettings
from twofold.images.evaluation.splits import Split
from twofold.pixels.views import Augmentation
from twofold.pixels.views.augmentations import Crop, Flip, Normalise
from twofold.pixels.views.views import ImageViews
from twofold.randomness import generator

CROP_AND_FLIP = Augmentation(((Crop((0.08, 1.0)), Flip(0.5), Normalise()),))


def epoch_batches(
    split: Split, epoch: int, batch_size: int, inputs: InputSettings, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """(x, labels) of one epoch: float32 (b, 3, size, size) normalised, int64 (b,).

    Random-resized crop of area 0.08-1 and mirror, as in the published linear and semi-supervised evaluations. The
    order and the crops are functions of (seed, epoch, image). Batches are nearly equal; none is dropped.
    """
    views = ImageViews(CROP_AND_FLIP, inputs.size, seed=seed, statistics=(inputs.mean, inputs.std), count=1)
    order = torch.randperm(len(split), generator=generator(seed, "evaluation order", epoch))
    rows = order.tensor_split(-(-len(order) // batch_size))
    for part, batch in zip(rows, split.images.stream([split.indices[r] for r in rows]), strict=True):
        x = views(batch.to(inputs.device), epoch).tensors[0].contiguous(memory_format=torch.channels_last)
        labels, keep = split.labels[part], split.take(part).readable()
        if keep.all():
            yield x, labels.to(inputs.device)
        elif keep.any():  # a replacement must not be learned under another image's label
            yield x[keep.to(x.device)], labels[keep].to(inputs.device)
