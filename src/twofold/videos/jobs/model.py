"""Which backbone a command means: a run folder or an exported file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from twofold.errors import UserError
from twofold.pixels.backbones.loading import run_or_file
from twofold.printable import say
from twofold.training.distribution import choose_precision
from twofold.videos.backbones import Backbone, load_backbone
from twofold.videos.evaluation.features import CLIPS, InputSettings
from twofold.videos.options import Clips as ClipOptions
from twofold.videos.options import Embed, Evaluate, Load, Reading
from twofold.videos.reading.clips import Clips, even
from twofold.videos.reading.opening import ListOptions, open_source
from twofold.videos.reading.source import VideoSource
from twofold.videos.reading.store import VideoStore


@dataclass(frozen=True)
class Model:
    """A backbone in evaluation mode on its device, how videos reach it, its names, and its run folder if any."""

    backbone: Backbone
    inputs: InputSettings
    method: str
    name: str
    run: Path | None


def open_model(
    name: str,
    clips: ClipOptions,
    *,
    fps: float | None = None,
    count: int = CLIPS,
    precision: Literal["auto", "bf16", "fp32"] = "auto",
    batch_size: int = 32,
    trust: bool | str = False,
) -> Model:
    """The model that a command line names. Raises UserError where there is none, in words that say what to do.

    clips: what is asked of a clip; else as in pretraining. count: clips of a video.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    path, run = run_or_file(name)
    backbone, about = load_backbone(path, trust=trust)
    inputs = InputSettings(
        clips.image_size or backbone.clip_size,
        clips.frames or backbone.frames,
        clips.stride or _told(about, "stride", 1, path),
        tuple(about["mean"]),
        tuple(about["std"]),
        fps=fps or _told(about, "fps", None, path),
        clips=count,
        device=device,
        precision=precision_for(precision, device),
        batch_size=batch_size,
    )
    backbone.try_on(inputs.frames, inputs.size)
    return Model(backbone.to(device), inputs, str(about["method"]), name.rstrip("/"), run)


def open_for(name: str, options: Embed | Evaluate | Load) -> Model:
    """The model that a verb is asked about, as its options want it; see `open_model`."""
    return open_model(
        name,
        options,
        fps=options.fps,
        count=options.clips,
        precision=options.precision,
        batch_size=options.batch_size,
        trust=options.trust,
    )


def _told(about: dict[str, Any], name: str, usual: Any, path: Path) -> Any:
    """A number of sampling that a file tells."""
    value = about.get(name, usual)
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e4):
        raise UserError(f"{path} is damaged ({name} cannot be {value!r:.40}): write the file again.")
    return value


def precision_for(asked: Literal["auto", "bf16", "fp32"], device: torch.device) -> Literal["bf16", "fp32"]:
    """The precision of networks over clips. On a CPU auto is fp32, and bf16 is refused: there the gradients of some 3-D
    convolutions in bfloat16 hold what lay in memory before (torch 2.14.1, oneDNN; 64 channels of 2 x 8 x 8, say)."""
    if device.type == "cpu" and asked == "bf16":
        raise UserError("On a CPU 3-D convolutions in bf16 give wrong gradients: leave --precision at auto, or fp32.")
    return "fp32" if device.type == "cpu" else choose_precision(asked, device)


def open_videos(data: str, options: Reading, role: str = "train") -> VideoSource:
    """The videos of a path. role: what they are for; the part that is named is that of what is learned from."""
    own = role in ("train", "all") or options.part == "none"
    listed = ListOptions(options.videos, options.classes, options.fold)
    part = options.part if own else None
    return open_source(data, part=part, class_level=options.class_level, role=role, options=listed)


def clips_for(
    source: VideoSource, options: Reading, inputs: InputSettings, *, vectors: bool = False, most_unreadable: float = 1.0
) -> Clips:
    """The videos of a source as evaluation reads them. vectors: as for `VideoStore`. most_unreadable: share of them."""
    store = VideoStore(source, short_side(inputs.size), vectors=vectors)
    choose = even(inputs.clips, inputs.frames, inputs.stride, inputs.fps)
    return Clips(store, choose, max_unreadable=most_unreadable, workers=options.workers)


def short_side(size: int) -> int:
    """The short side in pixels at which videos are decoded for views of `size`: crops enlarge them a little at most."""
    return round(1.5 * size)


def print_notes(source: VideoSource) -> None:
    """Say what was guessed about the data, where there is something to say."""
    for line in source.notes:
        say(line)
