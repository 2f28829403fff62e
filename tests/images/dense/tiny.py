"""Small labelled pictures in memory, and mappers whose maps are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from twofold.images.dense.maps import Mapper
from twofold.images.evaluation.features import InputSettings
from twofold.images.labels.records import IGNORE, Instances, Labelled

PLAIN = InputSettings(32, (0.5,) * 3, (0.25,) * 3)
COLOURS = torch.tensor([[230, 20, 20], [20, 230, 20], [20, 20, 230]], dtype=torch.uint8)


def labelled(pictures, masks=None, instances=None, classes=("red", "green", "blue"), name="pictures"):
    """Labelled pictures from lists."""
    return Labelled(
        name,
        tuple(classes),
        [f"{name}/{chr(97 + i)}" for i in range(len(pictures))],
        [],
        lambda i, short_side: pictures[i],
        (lambda i: masks[i]) if masks else None,
        (lambda i: instances[i]) if instances else None,
    )


def boxes(rows, classes, crowd=None):
    """Instances of one picture from lists."""
    return Instances(
        torch.tensor(rows, dtype=torch.float32).view(-1, 4),
        torch.tensor(classes, dtype=torch.int64),
        torch.tensor(crowd or [False] * len(classes), dtype=torch.bool),
        torch.zeros(len(classes), dtype=torch.bool),
        None,
    )


def coloured(count, size=(32, 48), block=8, seed=0, ignored=0.1):
    """(pictures, masks): blocks of three classes, each of its own colour with a little noise, some pixels ignored."""
    draws = torch.Generator().manual_seed(seed)
    pictures, masks = [], []
    for _ in range(count):
        cells = torch.randint(0, 3, (size[0] // block, size[1] // block), generator=draws)
        mask = cells.repeat_interleave(block, 0).repeat_interleave(block, 1)
        noise = torch.randint(-15, 16, (3, *size), generator=draws)
        picture = (COLOURS[mask].permute(2, 0, 1).int() + noise).clamp(0, 255).to(torch.uint8)
        ignore = torch.rand(size, generator=draws) < ignored
        pictures.append(picture)
        masks.append(torch.where(ignore, IGNORE, mask).to(torch.int16))
    return pictures, masks


@dataclass(frozen=True)
class Noise(Mapper):
    """A map of noise, the same for the same picture."""

    inputs: InputSettings = PLAIN
    stride: int = 8
    centre: float = 3.5
    width: int = 16

    def with_inputs(self, inputs):
        return replace(self, inputs=inputs)

    def maps(self, views):
        shape = (self.width, views.shape[2] // self.stride, views.shape[3] // self.stride)
        seeds = [int(view.abs().sum() * 1000) for view in views]
        return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
