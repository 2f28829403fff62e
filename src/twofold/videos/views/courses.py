"""Values that change over the frames of a clip, given at a few of them (CtP, Wang et al., CVPR 2021, 2105.02545)."""

from __future__ import annotations

import torch
from torch import Tensor

INNER = (0.5, 0.3, 0.2)  # how often 0, 1 or 2 frames between the first and the last have values of their own
EASES = (0.7, 0.15, 0.15)  # how often values change evenly, from rest, or to rest
KEY_NUMBERS = 6  # uniform numbers that `key_frames` takes: how many, where each lies, the ease of each stretch


def course(keys: Tensor, eases: Tensor, values: Tensor, frames: int) -> Tensor:
    """Values at all frames from those at some of them.

    keys: int64 (B, K), ascending from 0 to frames - 1; a repeated last one stands for none. eases: int64 (B, K - 1),
    how the stretch behind each key is gone through: evenly (0), or along a parabola from rest (1) or to rest (2).
    values: (B, K, ...). Returns (B, frames, ...).
    """
    at = torch.arange(frames, device=keys.device)
    stretch = (at[None, :, None] >= keys[:, None, 1:-1]).sum(2)
    begin, end = keys.gather(1, stretch), keys.gather(1, stretch + 1)
    done = (at - begin).to(values) / (end - begin).clamp(min=1)
    ease = eases.gather(1, stretch)
    done = torch.where(ease == 1, done**2, torch.where(ease == 2, 1 - (1 - done) ** 2, done))
    wide = (..., *[None] * (values.dim() - 2))
    index = stretch[wide].expand(-1, -1, *values.shape[2:])
    return values.gather(1, index).lerp(values.gather(1, index + 1), done[wide])


def key_frames(numbers: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Keys (B, 4) and eases (B, 3) for `course`, from numbers (B, 6) in [0, 1).

    Inner key j of m lies at int(j T / (m + 1)), moved by up to a third of that distance.
    """
    count = (numbers[:, :1] >= INNER[0]).long() + (numbers[:, :1] >= INNER[0] + INNER[1]).long()
    inner = torch.arange(1, 3, device=numbers.device)
    reach = (frames / (count + 1) / 3).floor()
    places = (inner * frames / (count + 1)).floor() + (numbers[:, 1:3] * 2 * reach).floor() - reach
    last = torch.full_like(places, frames - 1)
    places = torch.where(inner <= count, places.clamp(0, frames - 1), last).sort(1).values
    keys = torch.cat([torch.zeros_like(last[:, :1]), places, last[:, :1]], 1).long()
    eases = (numbers[:, 3:] >= EASES[0]).long() + (numbers[:, 3:] >= EASES[0] + EASES[1]).long()
    return keys, eases
