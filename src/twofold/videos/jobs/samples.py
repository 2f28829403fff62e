"""What the report shows of the data: some clips with their views, and a gallery with features."""

from __future__ import annotations

from itertools import repeat
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.printable import printable
from twofold.randomness import generator
from twofold.seam import Progress
from twofold.videos.batch import ClipBatch
from twofold.videos.evaluation.features import InputSettings, extract, readable
from twofold.videos.reading.clips import Clips, even
from twofold.videos.views.views import ClipViews

SHOWN, GALLERY, THUMBNAIL, SHOWN_FRAMES = 6, 500, 40, 8
ASKED, PART = 200, 50
EPOCH = 1 << 20  # one that no run reaches: what is asked was not learned


def view_samples(clips: Clips, views: ClipViews, method: Any, seed: int) -> dict[str, np.ndarray]:
    """The arrays of views.npz: `views` (n, V, T, S, S, 3) as the student sees them in the first step, and `sources` (n,
    T, S, S, 3), uint8, at most 8 frames, and `names` of a few videos."""
    chosen = _chosen(len(clips), SHOWN, seed, "views")
    batch = next(iter(clips.stream([chosen])))
    made = views(batch, 0)
    shown = made.tensors
    for addition in getattr(method, "additions", ()):
        shown = addition.show(shown, made, Progress(0, 1, seed=seed))
    count = min(SHOWN_FRAMES, max(view.shape[2] for view in shown))
    seen = torch.stack([_thinned(_seen(view, views), count) for view in shown], 1)
    return {
        "views": seen.permute(0, 1, 3, 4, 5, 2).numpy(),
        "sources": _thinned(_squares(batch, 0, views.size).transpose(1, 2), count).permute(0, 2, 3, 4, 1).numpy(),
        "names": np.array([printable(clips.source.names[int(i)]) for i in chosen]),
    }


def pretext_samples(
    clips: Clips, views: ClipViews, method: Any, seed: int, device: torch.device
) -> dict[str, np.ndarray]:
    """The arrays of pretext.npz: what a pretext task asked of up to 200 videos and what it was told, and `shown` (n, T,
    S, S, 3) uint8, the first clips as the network sees them; nothing where the method has no task."""
    if method.pretext is None:
        return {}
    chosen = _chosen(len(clips), ASKED, seed, "asked")
    method.eval()
    found: dict[str, list[Tensor]] = {}
    for batch in clips.stream(chosen.split(PART), repeat(EPOCH)):
        made = views(batch.to(device), EPOCH)
        for name, rows in method.examples(made, Progress(0, 1, seed=seed)).items():
            found.setdefault(name, []).append(rows.cpu())
        if "shown" not in found:
            found["shown"] = [_seen(made.tensors[0][:SHOWN].cpu(), views).permute(0, 2, 3, 4, 1)]
    method.train()
    return {name: torch.cat(rows).numpy() for name, rows in found.items()}


def films(clips: Clips, inputs: InputSettings, indices: Tensor, side: int, frames: int) -> np.ndarray:
    """The middle clip of some videos as it is shown, uint8 (n, frames, side, side, 3)."""
    middle = clips.choosing(even(1, inputs.frames, inputs.stride, inputs.fps))
    shown = [_squares(batch, 0, side) for batch in middle.stream(indices.split(PART))]
    return _thinned(torch.cat(shown).transpose(1, 2), frames).permute(0, 2, 3, 4, 1).numpy()


def gallery(backbone: nn.Module, clips: Clips, inputs: InputSettings, seed: int) -> dict[str, np.ndarray]:
    """The arrays of gallery.npz: features, thumbnails of the middle frame, labels (-1: none), names and classes of up
    to 500 videos."""
    chosen = _chosen(len(clips), GALLERY, seed, "gallery")
    features = extract(backbone, clips, inputs.with_clips(2), chosen)
    middle = clips.choosing(even(1, 1, 1))
    thumbnails = [_squares(batch, 0, THUMBNAIL)[:, 0] for batch in middle.stream(chosen.split(64))]
    keep = readable(clips, chosen)
    source, rows = clips.source, chosen[keep].numpy()
    return {
        "features": features[keep].numpy(),
        "thumbnails": torch.cat(thumbnails)[keep].permute(0, 2, 3, 1).numpy(),
        "labels": source.labels[rows],
        "names": np.array([printable(source.names[int(i)]) for i in rows]),
        "classes": np.array([printable(name) for name in source.classes or []], dtype=str),
    }


def _chosen(videos: int, count: int, seed: int, what: str) -> Tensor:
    return torch.randperm(videos, generator=generator(seed, what))[:count].sort().values


def _thinned(clips: Tensor, count: int) -> Tensor:
    """(..., T, S, S) with `count` of the frames, evenly spaced; a single frame as often."""
    return clips[..., torch.linspace(0, clips.shape[-3] - 1, count).long(), :, :]


def _squares(batch: ClipBatch, clip: int, side: int) -> Tensor:
    """Every frame of a clip whole, in the middle of a white square: uint8 (B, T, 3, side, side)."""
    squares = []
    for pixels, (high, wide) in zip(batch.clips[clip], batch.size.tolist(), strict=True):
        scale = side / max(high, wide)
        small = (max(round(high * scale), 1), max(round(wide * scale), 1))
        frames: Any = pixels[:, :, :high, :wide].float() / 255
        frames = F.interpolate(frames, small, mode="bilinear", antialias=True)
        top, left = (side - small[0]) // 2, (side - small[1]) // 2
        squares.append(F.pad(frames, (left, side - small[1] - left, top, side - small[0] - top), value=1.0))
    return _bytes(torch.stack(squares))


def _seen(view: Tensor, views: ClipViews) -> Tensor:
    """A view (B, 3, T, S, S) as pictures again, uint8."""
    mean, std = (torch.tensor(values)[:, None, None, None] for values in (views.mean, views.std))
    return _bytes(view * std + mean)


def _bytes(x: Tensor) -> Tensor:
    return (x.clamp(0, 1) * 255).round().to(torch.uint8)
