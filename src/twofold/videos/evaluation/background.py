"""Clips with another background: what a representation of motion is to see through (BE, 2009.05769).

"mixed": one frame of the clip laid over all of them. "swapped": the clip's own background, its median over time, taken
away and that of another clip put in its place.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from twofold.randomness import uniforms
from twofold.videos.batch import ClipBatch
from twofold.videos.evaluation.features import InputSettings, clips_of, even_clips_of
from twofold.videos.reading.clips import Clips
from twofold.videos.views.static_frame import static_frame_mix

SHARE = 0.5  # of the static frame
KINDS = ("mixed", "swapped")


def swapped(clips: Tensor, others: Tensor) -> Tensor:
    """Clips (n, C, T, H, W) on the backgrounds of others of the same shape."""
    return clips - clips.median(2, keepdim=True).values + others.median(2, keepdim=True).values


def disturbed_features(
    backbone: nn.Module, clips: Clips, inputs: InputSettings, indices: Tensor, kind: str, seed: int
) -> Tensor:
    """Features of videos whose clips are mixed or swapped, float32 (n, width), the mean over clips."""
    training = backbone.training
    backbone.eval()
    try:
        return torch.cat(list(_features(backbone, clips, inputs, indices, kind, seed)))
    finally:
        backbone.train(training)


def _features(
    backbone: nn.Module, clips: Clips, inputs: InputSettings, indices: Tensor, kind: str, seed: int
) -> Iterator[Tensor]:
    source = even_clips_of(clips, inputs)
    at_once = max(2, inputs.batch_size // inputs.clips)
    parts = indices.split(at_once)
    turned = indices.roll(max(1, len(indices) // 2)).split(at_once)
    others = source.stream(turned) if kind == "swapped" else None
    for batch in source.stream(parts):
        seen = clips_of(batch, inputs)
        if others is None:
            seen = static_frame_mix(seen, _frames(batch, seen, seed), seen.new_full((len(seen),), SHARE))
        else:
            seen = swapped(seen, clips_of(next(others), inputs))
        with torch.no_grad(), inputs.autocast():
            pooled = backbone(seen).pooled
        yield pooled.float().cpu().unflatten(0, (len(batch), inputs.clips)).mean(1)


def _frames(batch: ClipBatch, seen: Tensor, seed: int) -> Tensor:
    """The static frame of each clip, a function of (seed, video, clip)."""
    drawn = uniforms(batch.index, len(batch.clips), seed, "static frame")
    return (drawn * seen.shape[2]).long().flatten().to(seen.device)
