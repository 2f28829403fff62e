"""`load` on videos: a backbone of clips as a network of one's own, with the transform that goes before it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.runs.screen import progress_bar
from twofold.videos.backbones import Backbone
from twofold.videos.evaluation.features import InputSettings, extract
from twofold.videos.jobs.model import Model, clips_for, open_for
from twofold.videos.options import Load, Reading
from twofold.videos.reading.opening import of_paths, open_source
from twofold.videos.reading.source import VideoSource
from twofold.videos.sampling import even_clips
from twofold.videos.views.views import evaluation_view


class ClipModel(nn.Module):
    """A backbone over clips without classifier. `model(x)` is its pooled feature.

    backbone: the network inside. width: C of its features. image_size: px of the square input. frames: of a clip.
    inputs: how videos reach it (stride, clips a video, normalisation, device ...). name: as it was named.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.backbone: Backbone = model.backbone
        self.inputs: InputSettings = model.inputs
        self.name, self.width = model.name, model.backbone.width
        self.image_size, self.frames = model.inputs.size, model.inputs.frames

    def forward(self, x: Tensor) -> Tensor:
        """float32 (B, 3, T, H, W), of `transform` -> (B, C)."""
        return self.backbone(x).pooled

    def map(self, x: Tensor) -> Tensor:
        """float32 (B, 3, T, H, W) -> the last map (B, C', t, h, w). UserError where the network has none."""
        found = self.backbone(x).map
        if found is None:
            raise UserError(f"{self.backbone.name} gives no map, only a vector for each clip.")
        return found

    def transform(self, clip: Any) -> Tensor:
        """Frames of a clip, uint8 (T, H, W, 3) or (T, 3, H, W), as the network sees them: the centre square of 7/8 of
        the short side, resized and normalised, float32 (3, T, S, S). Raises UserError for anything else."""
        frames = frames_of(clip)
        size = torch.tensor([frames.shape[2:]])
        return evaluation_view(frames[None], size, self.image_size, self.inputs.mean, self.inputs.std)[0]

    def encode(self, videos: Any, *, quiet: bool = False) -> Tensor:
        """A vector for each video, float32 (n, C) on the CPU, the mean over its evenly spaced clips: those of `twofold
        embed`, in the order of the videos.

        videos: data as for `pretrain`, a list of paths, or frames that are there already, uint8 (T, H, W, 3) or
        (T, 3, H, W), one video or a list of them. Raises UserError where a video cannot be read.
        """
        if isinstance(videos, str | os.PathLike):
            return self._read(open_source(os.path.expanduser(os.fspath(videos)), role="all"), quiet)
        if getattr(videos, "ndim", 0) == 4:
            videos = [videos]
        if not isinstance(videos, Sequence) or not len(videos):
            raise UserError(
                "Videos are a path, a list of paths, or frames of 8 bits (T, H, W, 3), not "
                f"{'nothing' if isinstance(videos, Sequence) else type(videos).__name__}."
            )
        if all(isinstance(video, str | os.PathLike) for video in videos):
            names = [os.path.expanduser(os.fspath(video)) for video in videos]
            return self._read(of_paths(f"a list of {len(names):,} videos", names), quiet)
        return torch.stack([self._mean_of(frames_of(video)) for video in videos])

    def _read(self, source: VideoSource, quiet: bool) -> Tensor:
        clips = clips_for(source, Reading(), self.inputs, most_unreadable=0.0)
        with progress_bar("encoding", quiet) as on_progress:
            return extract(self.backbone, clips, self.inputs, on_progress=on_progress)

    def _mean_of(self, video: Tensor) -> Tensor:
        inputs = self.inputs
        chosen = even_clips([np.arange(len(video))], inputs.clips, inputs.frames, inputs.stride)
        rows = []
        for begin in range(0, len(chosen), inputs.batch_size):
            part = chosen[begin : begin + inputs.batch_size]
            x = torch.stack([self.transform(video[numbers]) for numbers in part])
            with torch.no_grad(), inputs.autocast():
                rows.append(self.backbone(x.to(inputs.device)).pooled.float().cpu())
        return torch.cat(rows).mean(0)


def frames_of(clip: Any) -> Tensor:
    """Frames as uint8 (T, 3, H, W). Raises UserError where they are none."""
    frames = clip.cpu() if isinstance(clip, Tensor) else torch.as_tensor(np.asarray(clip))
    given = f"{str(frames.dtype).removeprefix('torch.')} {tuple(frames.shape)}"
    if frames.ndim == 4 and frames.shape[1] != 3 and frames.shape[3] == 3:
        frames = frames.permute(0, 3, 1, 2)
    if frames.ndim != 4 or frames.shape[1] != 3 or frames.dtype != torch.uint8 or not frames.numel():
        raise UserError(f"Frames are uint8 (T, H, W, 3) or (T, 3, H, W), not {given}.")
    return frames


def run(model: str, options: Load) -> ClipModel:
    """See `api.load`."""
    opened = open_for(model, options)
    return ClipModel(opened).eval()
