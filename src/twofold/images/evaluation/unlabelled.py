"""What can be said of a backbone without labels: how many directions it uses, and whether it knows an image again."""

from __future__ import annotations

import torch
from torch import Tensor

from twofold.evaluation.retrieval import instance_retrieval
from twofold.evaluation.spectrum import effective_rank
from twofold.images.backbones import Backbone
from twofold.images.evaluation.features import InputSettings, extract, readable
from twofold.images.reading import Images
from twofold.pixels.views.views import ImageViews
from twofold.randomness import generator

MOST = 1000
SMALL_SIDE = 64
SMALL_VIEWS, LARGE_VIEWS = "moco-cifar", "moco-v2"


def without_labels(
    backbone: Backbone, images: Images, inputs: InputSettings, *, seed: int, most: int = MOST
) -> dict[str, float]:
    """{"effective rank", "instance retrieval"} of the features of up to `most` images, drawn by the seed.

    The rank is that of un-augmented images. The retrieval is between two views by MoCo's augmentation, for small images
    up to 64 px, whatever the backbone was trained with; see `evaluation.retrieval`. Unreadable images are left out.
    """
    chosen = torch.randperm(len(images), generator=generator(seed, "without labels"))[:most].sort().values
    plain = extract(backbone, images, inputs, indices=chosen)
    first, second = _two_views(backbone, images, inputs, chosen, seed)
    keep = readable(images, chosen)
    return {
        "effective rank": effective_rank(plain[keep]),
        "instance retrieval": instance_retrieval(first[keep], second[keep]),
    }


@torch.no_grad()
def _two_views(
    backbone: Backbone, images: Images, inputs: InputSettings, chosen: Tensor, seed: int
) -> tuple[Tensor, Tensor]:
    """Features of two views of the chosen images: float32 (n, width) each, on the CPU."""
    views = ImageViews(
        SMALL_VIEWS if inputs.size <= SMALL_SIDE else LARGE_VIEWS,
        inputs.size,
        seed=seed,
        statistics=(inputs.mean, inputs.std),
        channels=images.source.pixels.channels,
    )
    training = backbone.training
    backbone.eval()
    rows: list[list[Tensor]] = [[], []]
    for batch in images.stream(chosen.split(inputs.batch_size)):
        made = views(batch.to(inputs.device), 0)
        for side, view in zip(rows, made.tensors, strict=True):
            with inputs.autocast():
                pooled = backbone(view.contiguous(memory_format=torch.channels_last)).pooled
            side.append(pooled.float().cpu())
    backbone.train(training)
    return torch.cat(rows[0]), torch.cat(rows[1])
