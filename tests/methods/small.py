"""What the tests of methods share: a tiny network, views for it, a moment of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.nets.features import Features, Grid
from twofold.seam import Progress, Views
from twofold.videos.views.pretext import Pretext

from ..tiny import ClipNet, cut, exercised, make

NOW = Progress(step=3, steps=10, seed=5)


class Tiny(nn.Module):
    """A conv layer with batch norm: a map of 4 channels and its mean."""

    width = map_width = 4
    grid = Grid(6, 6, 1.0, 0.0)

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x):
        features = self.norm(self.conv(x)).relu()
        return Features(features, features.mean((2, 3)))


class Smooth(Tiny):
    """Without ReLU, behind which several cells may be equal and the nearest one a matter of luck."""

    def forward(self, x):
        features = self.norm(self.conv(x))
        return Features(features, features.mean((2, 3)))


def views_of(count: int, batch: int = 8, seed: int = 0, frames: int = 0, pretext: Pretext | None = None) -> Views:
    """Views of noise, each (batch, 3, 6, 6), as if cut from 12 x 12 pixels; where there are frames, clips of 8 x 8."""
    drawn, index, side = torch.Generator().manual_seed(seed), torch.arange(batch), 8 if frames else 6
    task, lengths = exercised(pretext, index, side, frames) if pretext else (None, [])
    lengths += [frames] * (count - len(lengths))
    tensors = [torch.randn(batch, 3, *[n] * (n > 0), side, side, generator=drawn) for n in lengths[:count]]
    return Views(tensors, [cut(index, view, 12) for view in range(count)], index, task)


def made(
    name: str, additions: Sequence[Addition] = (), network: type[nn.Module] = Tiny, **settings: Any
) -> JointEmbedding:
    """A method of the catalog with a tiny network, from seed 0."""
    torch.manual_seed(0)
    return make(name, network(), additions, **settings)


def ready_for_clips(name: str, batch: int = 3, **settings: Any) -> tuple[JointEmbedding, Views]:
    """A tiny method over clips in float64, from seed 0, and views with what it wants drawn."""
    torch.manual_seed(0)
    method = make(name, ClipNet(), **settings).double()
    views = views_of(method.view_count, batch, frames=ClipNet.frames, pretext=method.pretext)
    views.tensors = [x.double() for x in views.tensors]
    return method, views
