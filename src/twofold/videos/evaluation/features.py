"""Videos through a backbone: evenly spaced clips, a feature each, and their mean as the feature of the video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from twofold.resources import require
from twofold.runs.screen import OnProgress
from twofold.videos.batch import ClipBatch
from twofold.videos.reading.clips import Clips, even
from twofold.videos.views.views import evaluation_view

CLIPS = 10


@dataclass(frozen=True)
class InputSettings:
    """How videos reach a backbone in evaluation.

    size: px of the square input. frames, stride: of a clip. fps: frames a second to which videos are brought first; as
    they are where None. clips: evenly spaced, of each video. mean, std: the normalisation, for RGB in [0, 1].
    precision: "fp32" or "bf16" (autocast). batch_size: clips at a time.
    """

    size: int
    frames: int
    stride: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fps: float | None = None
    clips: int = CLIPS
    device: torch.device | str = "cpu"
    precision: str = "fp32"
    batch_size: int = 32

    def autocast(self) -> torch.autocast:
        """The context in which the backbone runs."""
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.precision == "bf16")

    def with_clips(self, clips: int) -> InputSettings:
        """The same with another number of clips a video."""
        return replace(self, clips=clips)

    def describe(self) -> str:
        """How a video is looked at, in a few words."""
        rate = f" at {self.fps:g} frames/s" if self.fps else ""
        return f"{self.clips} clips of {self.frames} frames, stride {self.stride}{rate}"


def even_clips_of(clips: Clips, inputs: InputSettings) -> Clips:
    """The evenly spaced clips of the same videos."""
    return clips.choosing(even(inputs.clips, inputs.frames, inputs.stride, inputs.fps))


def clips_of(batch: ClipBatch, inputs: InputSettings) -> Tensor:
    """All clips of a batch as the backbone sees them, float32 (B * clips, 3, T, S, S), video after video."""
    together = torch.stack(batch.clips, 1).flatten(0, 1)
    size = batch.size.repeat_interleave(len(batch.clips), 0)
    return evaluation_view(together.to(inputs.device), size.to(inputs.device), inputs.size, inputs.mean, inputs.std)


def stream_features(
    backbone: nn.Module, clips: Clips, inputs: InputSettings, indices: Tensor | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """(indices, features) batch by batch: int64 (b,) and float32 (b, clips, width), on the CPU, in the order of
    `indices` (default: all videos), by the backbone in evaluation mode, which is put back into its own mode at the end.
    """
    order = torch.arange(len(clips)) if indices is None else indices
    at_once = max(1, inputs.batch_size // inputs.clips)
    what = f"{at_once * inputs.clips:,} clips at a time, of {inputs.frames} frames of {inputs.size:,} px,"
    pixels = 12 * at_once * inputs.clips * inputs.frames * inputs.size**2
    require(pixels, what, "give a smaller --image-size, --frames or --batch-size", inputs.device)
    parts, training = order.split(at_once), backbone.training
    backbone.eval()
    try:
        for part, batch in zip(parts, even_clips_of(clips, inputs).stream(parts), strict=True):
            with torch.no_grad(), inputs.autocast():
                pooled = backbone(clips_of(batch, inputs)).pooled
            yield part, pooled.float().cpu().unflatten(0, (len(part), inputs.clips))
    finally:
        backbone.train(training)


def extract(
    backbone: nn.Module,
    clips: Clips,
    inputs: InputSettings,
    indices: Tensor | None = None,
    on_progress: OnProgress | None = None,
) -> Tensor:
    """The features of videos, float32 (n, width): the mean over their clips. A video that cannot be read has that of
    its stand-in; see `readable`."""
    total, rows, done = len(clips) if indices is None else len(indices), [], 0
    for part, features in stream_features(backbone, clips, inputs, indices):
        rows.append(features.mean(1))
        done += len(part)
        if on_progress:
            on_progress(done, total)
    return torch.cat(rows)


def readable(clips: Clips, indices: Tensor) -> Tensor:
    """bool (n,): False where a video turned out unreadable; known once it has been asked for."""
    return torch.tensor([i not in clips.replaced for i in indices.tolist()], dtype=torch.bool)
