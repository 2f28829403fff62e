"""Floors of videos: what raw frames and an untrained network reach."""

from __future__ import annotations

import torch
from torch import Tensor

from twofold.evaluation.floors import untrained
from twofold.randomness import derive
from twofold.videos.backbones import Backbone, rebuild_backbone
from twofold.videos.evaluation.features import InputSettings, clips_of, even_clips_of
from twofold.videos.reading.clips import Clips

SIDE, FRAMES = 16, 8
CALIBRATION = 64  # clips


def frame_features(clips: Clips, inputs: InputSettings, indices: Tensor) -> Tensor:
    """Eight frames over a middle clip of each video, 16 x 16 pixels, as vectors float32 (n, 6144) in [0, 1]."""
    spread = max(1, round((inputs.frames - 1) * inputs.stride / (FRAMES - 1)))
    plain = InputSettings(SIDE, FRAMES, spread, (0.0,) * 3, (1.0,) * 3, fps=inputs.fps, clips=1)
    parts = indices.split(32)
    return torch.cat([clips_of(batch, plain).flatten(1) for batch in even_clips_of(clips, plain).stream(parts)])


def random_network(backbone: Backbone, clips: Clips, inputs: InputSettings, indices: Tensor, seed: int = 0) -> Backbone:
    """The same network with new random weights, calibrated on clips of these videos; see `floors.untrained`."""
    order = torch.randperm(len(indices), generator=torch.Generator().manual_seed(derive(seed, "calibration")))
    one = inputs.with_clips(1)
    parts = indices[order[:CALIBRATION]].split(min(16, inputs.batch_size))
    batches = even_clips_of(clips, one).stream([part for part in parts if len(part) > 1])
    views = (clips_of(batch, one) for batch in batches)
    return untrained(lambda: rebuild_backbone(backbone.blueprint()), views, inputs.device, seed)
