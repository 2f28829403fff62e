"""What the report shows of the data: some images with their views, and a gallery with features."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.images.evaluation.features import InputSettings, extract, readable
from twofold.images.jobs.painting import Painting, painting_of
from twofold.images.jobs.views import RunViews
from twofold.images.reading import Images
from twofold.pixels.batch import ImageBatch
from twofold.pixels.views.apply import floats
from twofold.printable import printable
from twofold.randomness import generator

SHOWN, GALLERY, THUMBNAIL = 8, 1000, 40


def view_samples(images: Images, views: RunViews, seed: int) -> dict[str, np.ndarray]:
    """The arrays of views.npz: `views` (n, V, S, S, 3), `sources` (n, h, w, 3), uint8, and `names` of a few images.

    Smaller views stand in the middle of a white square.
    """
    chosen, painting = _chosen(len(images), SHOWN, seed, "views"), painting_of(images)
    batch = images.batch(chosen)
    mean, std = (torch.tensor(values, device=batch.pixels.device)[:, None, None] for values in (views.mean, views.std))
    shown = (view * std + mean for view in views(batch, 0).tensors)
    made = torch.stack([_bytes(_framed(_painted(view, painting), views.size)) for view in shown], 1)
    return {
        "views": made.permute(0, 1, 3, 4, 2).cpu().numpy(),
        "sources": _squares(batch, views.size, painting).permute(0, 2, 3, 1).cpu().numpy(),
        "names": np.array([printable(images.source.names[int(i)]) for i in chosen]),
    }


def gallery(backbone: nn.Module, images: Images, inputs: InputSettings, seed: int) -> dict[str, np.ndarray]:
    """The arrays of gallery.npz: features, thumbnails, labels (-1: none), names and classes of up to 1,000 images."""
    chosen, painting = _chosen(len(images), GALLERY, seed, "gallery"), painting_of(images)
    features = extract(backbone, images, inputs, indices=chosen)
    thumbnails = [_squares(batch, THUMBNAIL, painting).cpu() for batch in images.stream(chosen.split(256))]
    keep = readable(images, chosen)
    source, rows = images.source, chosen[keep].numpy()
    labels = np.full(len(rows), -1) if source.labels is None else np.asarray(source.labels)[rows]
    return {
        "features": features[keep].numpy(),
        "thumbnails": torch.cat(thumbnails)[keep].permute(0, 2, 3, 1).numpy(),
        "labels": labels.astype(np.int64),
        "names": np.array([printable(source.names[int(i)]) for i in rows]),
        "classes": np.array([printable(name) for name in source.classes or []], dtype=str),
    }


def _chosen(images: int, count: int, seed: int, what: str) -> Tensor:
    return torch.randperm(images, generator=generator(seed, what))[:count].sort().values


def _framed(view: Tensor, side: int) -> Tensor:
    """Views (B, 3, s, s) of s <= side pixels in the middle of white squares of that side."""
    before = (side - view.shape[2]) // 2
    after = side - view.shape[2] - before
    return F.pad(view, (before, after, before, after), value=1.0)


def _painted(x: Tensor, painting: Painting | None) -> Tensor:
    return x if painting is None else painting(x)


def _squares(batch: ImageBatch, side: int, painting: Painting | None = None) -> Tensor:
    """Every image whole, at most `side` pixels, in the middle of a white square: uint8 (B, 3, side, side)."""
    squares = []
    for pixels, (high, wide) in zip(batch.pixels, batch.size.tolist(), strict=True):
        scale = min(side / high, side / wide, 1.0)
        small = (max(round(high * scale), 1), max(round(wide * scale), 1))
        image: Any = floats(pixels[None, :, :high, :wide])
        image = _painted(F.interpolate(image, small, mode="bilinear", antialias=True), painting)
        top, left = (side - small[0]) // 2, (side - small[1]) // 2
        squares.append(F.pad(image, (left, side - small[1] - left, top, side - small[0] - top), value=1.0))
    return _bytes(torch.cat(squares))


def _bytes(x: Tensor) -> Tensor:
    return (x.clamp(0, 1) * 255).round().to(torch.uint8)
