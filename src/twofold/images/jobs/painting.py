"""Channels that are kept as they are, as pictures for the report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from twofold.images.reading import Images
from twofold.pixels.views.apply import floats

LOOKED_AT, PIXELS = 64, 1_000_000  # images, and pixels of them, whose levels are looked at
DARKEST, BRIGHTEST = 1.0, 99.0  # percentiles of a channel that become black and white


@dataclass(frozen=True)
class Painting:
    """How channels become a picture: the first three as red, green and blue, or the first in grey where there are
    fewer, each from low to high. Three numbers each."""

    channels: tuple[int, int, int]
    low: Tensor
    high: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """float32 (B, C, H, W) in 0..1 -> (B, 3, H, W) in 0..1."""
        low, high = (level.to(x.device)[:, None, None] for level in (self.low, self.high))
        return ((x[:, list(self.channels)] - low) / (high - low)).clamp(0, 1)


def painting_of(images: Images) -> Painting | None:
    """How the images of a set are painted, by the levels of up to 64 of them; None for RGB, which are pictures."""
    if not images.source.pixels.channels:
        return None
    channels = (0, 1, 2) if images.source.pixels.channels > 2 else (0, 0, 0)
    rows = np.unique(np.linspace(0, len(images) - 1, min(LOOKED_AT, len(images))).astype(int))
    batch = images.batch(torch.from_numpy(rows))
    seen = [
        floats(pixels[None, :, :high, :wide])[0].flatten(1)[list(channels)]
        for pixels, (high, wide) in zip(batch.pixels, batch.size.tolist(), strict=True)
    ]
    levels = torch.cat(seen, 1).cpu().numpy()
    found = np.percentile(levels[:, :: max(1, levels.shape[1] // PIXELS)], (DARKEST, BRIGHTEST), axis=1)
    low, high = torch.from_numpy(found.astype(np.float32))
    return Painting(channels, low, torch.maximum(high, low + 1e-6))
