"""Augmentations of clips as data: how clips are drawn, which clip each view is cut from, and what makes a view."""

from __future__ import annotations

from dataclasses import dataclass, replace

from twofold.errors import UserError, nearest
from twofold.pixels.views import Augmentation
from twofold.pixels.views.augmentations import (
    Blur,
    Channel,
    Crop,
    Flip,
    Grey,
    Jitter,
    Normalise,
    Operation,
    Rotate,
    Sway,
    Window,
)
from twofold.pixels.views.changes import listed
from twofold.videos.rule import Sampling


@dataclass(frozen=True)
class ClipAugmentation:
    """sampling: how clips are drawn. clips: of which clip each view is cut; a view beyond these has a clip of its own.
    pictures: the operations of each view, drawn once for a clip and alike in all of its frames, where they say nothing
    else. measured: the stride of the clips that a network is measured on, where that is another."""

    sampling: Sampling
    clips: tuple[int, ...]
    pictures: Augmentation
    measured: int | None = None

    @property
    def stride(self) -> int:
        """Of the clips that a network is measured on."""
        return self.measured or self.sampling.strides[0]

    def clip_of(self, view: int) -> int:
        """The number of the clip that a view is cut from."""
        return self.clips[view] if view < len(self.clips) else max(self.clips) + 1 + view - len(self.clips)

    def clip_count(self, views: int) -> int:
        """How many clips so many views are cut from."""
        return 1 + max(self.clip_of(view) for view in range(views))

    def resampled(self, frames: int | None, stride: int | None) -> ClipAugmentation:
        """The same with other clips, where they are given."""
        own = self.sampling
        return replace(self, sampling=replace(own, frames=frames or own.frames, stride=stride or own.stride))


def _alike(*ops: Operation) -> Augmentation:
    return Augmentation((ops,))


def _be(frames: int, stride: int) -> ClipAugmentation:
    """Both views of the same frames; an extra view is of another time."""
    ops = _alike(Rotate(10), Window(shares=(0.875,)), Jitter(0.5, 0.5, 0.25, 0.5), Normalise())
    return ClipAugmentation(Sampling(frames, stride, second="other"), (0, 0), ops)


def _cstp(frames: int) -> ClipAugmentation:
    """Clips of consecutive frames, which the task spreads and moves; fine-tuned and tested at every fourth frame."""
    ops = (
        Rotate(10),
        Crop((0.2, 1.0), interpolation="bicubic"),
        Jitter(0.4, 0.4, 0.4, 0.1, p=0.8),
        Channel(0.2),
        Blur(0.5),
        Flip(0.5),
        Normalise(),
    )
    return ClipAugmentation(Sampling(frames, 1), (0, 1), Augmentation((ops,), share=0.3), measured=4)


def _ctp(frames: int) -> ClipAugmentation:
    """Frames need not lie evenly; fine-tuned and tested at every second frame."""
    hue = Jitter(0.0, 0.0, 0.1, 12 / 180, p=0.25)
    ops = _alike(Window(shares=(1.0, 112 / 128, 112 / 144)), Flip(0.5), hue, Sway(30 / 255, 0.12, p=0.5), Normalise())
    return ClipAugmentation(Sampling(frames, (1, 5), jitter=True), (0,), ops, measured=2)


def _cmd(frames: int, stride: int) -> ClipAugmentation:
    ops = _alike(Crop((0.2, 1.0)), Flip(0.5), Blur(0.5), Jitter(0.4, 0.4, 0.4, 0.1, p=0.5), Grey(0.2), Normalise())
    return ClipAugmentation(Sampling(frames, stride), (0, 1), ops)


AUGMENTATIONS: dict[str, ClipAugmentation] = {
    # Official: rotation, short side to 256 (128), crop of 224 (112), jitter; no mirror, no other scale.
    "be": _be(16, 4),
    "be-small": _be(8, 4),
    # Those of MoCo v2 and SimCLR, alike in all frames (CVRL), on two clips at any times of the video.
    "moco-clips": ClipAugmentation(
        Sampling(16, 4),
        (0, 1),
        _alike(Crop((0.2, 1.0)), Jitter(0.4, 0.4, 0.4, 0.1, p=0.8), Grey(0.2), Blur(0.5), Flip(0.5), Normalise()),
    ),
    "simclr-clips": ClipAugmentation(
        Sampling(16, 4),
        (0, 1),
        _alike(Crop((0.3, 1.0)), Flip(0.5), Jitter(0.8, 0.8, 0.8, 0.2, p=0.8), Grey(0.2), Blur(0.5), Normalise()),
    ),
    # CSTP: of three clips in ten, all of these are drawn; of the others none but the mirror.
    "cstp": _cstp(16),
    "cstp-small": _cstp(8),
    # CtP: short side 112, 128 or 144, crop of 112; colours change behind the patches.
    "ctp": _ctp(16),
    "ctp-small": _ctp(8),
    # CMD: the clip, and a keyframe near it with draws of its own.
    "cmd": _cmd(16, 4),
    "cmd-short": _cmd(8, 2),
    "moco-clips-small": ClipAugmentation(
        Sampling(8, 4),
        (0, 1),
        _alike(Crop((0.2, 1.0)), Jitter(0.4, 0.4, 0.4, 0.1, p=0.8), Grey(0.2), Flip(0.5), Normalise()),
    ),
}


def listed_of(name: str) -> list[str]:
    """What may be changed in the augmentation of that name, in words."""
    return listed(augmentation_named(name).pictures)


def augmentation_named(name: str) -> ClipAugmentation:
    """The augmentation of that name; UserError with the nearest known name otherwise."""
    if name not in AUGMENTATIONS:
        known = ", ".join(AUGMENTATIONS)
        raise UserError(f'There is no augmentation of clips "{name}"; known: {known}.{nearest(name, AUGMENTATIONS)}')
    return AUGMENTATIONS[name]
