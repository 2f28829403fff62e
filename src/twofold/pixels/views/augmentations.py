"""Augmentations as data: which operations make a view, in which order, with which settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from twofold.errors import UserError, nearest
from twofold.pixels.views.bounds import check

Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Crop:
    """Cut a random box and resize it to the view: share of the area, width / height, and the resampling kernel.

    side: of the view, as a share of the run's image size (multi-crop has views of 96 / 224 beside those of 1).
    """

    area: Range = (0.08, 1.0)
    ratio: Range = (3 / 4, 4 / 3)
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    side: float = 1.0

    def pixels(self, size: int) -> int:
        """The side of the view where the run's images are of `size` pixels."""
        return max(round(self.side * size), 1)


@dataclass(frozen=True)
class Window(Crop):
    """Cut a square of a share of the short side, and resize it to the view: what comes of resizing the short side and
    cutting without. shares: of which one is drawn (112 of 128 pixels is 0.875)."""

    shares: tuple[float, ...] = (0.875,)


@dataclass(frozen=True)
class Rotate:
    """Turn by up to so many degrees either way, about the centre, black behind the corners."""

    degrees: float


@dataclass(frozen=True)
class Flip:
    """Mirror left to right with probability p."""

    p: float = 0.5


@dataclass(frozen=True)
class Jitter:
    """Brightness, contrast and saturation by a factor in max(0, 1 - x)..1 + x, hue by -x..x turns, clipped after each.

    order "random" draws one of the 24 orders for each view; "fixed" is brightness, contrast, saturation, hue.
    """

    brightness: float
    contrast: float
    saturation: float
    hue: float
    p: float = 1.0
    order: Literal["random", "fixed"] = "random"


@dataclass(frozen=True)
class Grey:
    """Replace the three channels by their luma with probability p."""

    p: float


@dataclass(frozen=True)
class Channel:
    """Show one of the three channels, drawn for each picture, in all three with probability p."""

    p: float


@dataclass(frozen=True)
class Sway:
    """Contrast by a factor in 1 - x..1 + x and brightness by -x..x added, clipped; each with probability p, and half of
    these change evenly from the first frame of a clip to the last."""

    brightness: float
    contrast: float
    p: float


@dataclass(frozen=True)
class Blur:
    """Gaussian blur with probability p, sigma in pixels of the view; the kernel is size // 10 made odd, at least 3.

    factors: where there are any, the view is shrunk by one of them, drawn, and enlarged again (bicubic) instead.
    """

    p: float
    sigma: Range = (0.1, 2.0)
    factors: tuple[float, ...] = ()


@dataclass(frozen=True)
class Solarise:
    """Invert the values at or above the threshold with probability p."""

    p: float
    threshold: float = 0.5


@dataclass(frozen=True)
class Clip:
    """Clip to 0..1."""


@dataclass(frozen=True)
class Normalise:
    """Subtract the mean and divide by the deviation of the data set's channels (see STATISTICS)."""


Operation: TypeAlias = Crop | Rotate | Flip | Jitter | Grey | Channel | Sway | Blur | Solarise | Clip | Normalise


@dataclass(frozen=True)
class Augmentation:
    """The operations of each view, in order. View v takes entry v modulo the number of entries.

    local: the operations of every view after the entries of `views`, where there are any (the small crops of
    multi-crop). share: of views to which anything but cutting, mirroring and normalising happens at all. A view has
    exactly one Crop; Flip and Blur come after it, Normalise comes last. Raises UserError otherwise.
    """

    views: tuple[tuple[Operation, ...], ...]
    local: tuple[Operation, ...] = ()
    share: float = 1.0

    def __post_init__(self) -> None:
        if not self.views:
            raise UserError("An augmentation needs at least one view; give it a tuple of operations.")
        for ops in (*self.views, *([self.local] if self.local else [])):
            check(ops, Operation)
            kinds = [type(op) for op in ops]
            crop = next((kind for kind in kinds if issubclass(kind, Crop)), Crop)
            if sum(issubclass(kind, Crop) for kind in kinds) != 1 or kinds.count(Flip) > 1:
                raise UserError("Each view of an augmentation needs exactly one Crop and at most one Flip.")
            if any(kind in (Flip, Blur) for kind in kinds[: kinds.index(crop)]):
                raise UserError("In an augmentation, Flip and Blur come after the Crop; move the Crop before them.")
            if Rotate in kinds and kinds[:2] != [Rotate, crop]:
                raise UserError("In an augmentation, Rotate comes first and the Crop behind it; move them there.")
            if Normalise in kinds[:-1]:
                raise UserError("In an augmentation, Normalise comes last and once; move it to the end.")

    def view(self, number: int) -> tuple[Operation, ...]:
        """The operations of view `number`, counted from 0."""
        if self.local and number >= len(self.views):
            return self.local
        return self.views[number % len(self.views)]

    @property
    def normalises(self) -> bool:
        """Whether the views leave the 0..1 range by Normalise."""
        return any(isinstance(op, Normalise) for op in self.views[0])


def _alike(*ops: Operation) -> Augmentation:
    return Augmentation((ops,))


def _byol(blur: Blur, solarise: float, area: float = 0.08) -> tuple[Operation, ...]:
    return (
        Crop((area, 1.0), interpolation="bicubic"),
        Flip(0.5),
        Jitter(0.4, 0.4, 0.2, 0.1, p=0.8),
        Grey(0.2),
        blur,
        Solarise(solarise),
        Clip(),
        Normalise(),
    )


def _dino(area: Range, blur: float, solarise: float, side: float = 1.0) -> tuple[Operation, ...]:
    _, *ops = (op for op in _byol(Blur(blur), solarise) if not isinstance(op, Clip))
    return (Crop(area, interpolation="bicubic", side=side), *ops)


def _swav(area: Range, side: float = 1.0) -> tuple[Operation, ...]:
    return (Crop(area, side=side), Flip(0.5), Jitter(0.8, 0.8, 0.8, 0.2, p=0.8), Grey(0.2), Blur(0.5), Normalise())


def _lejepa(area: Range, side: float = 1.0) -> tuple[Operation, ...]:
    return (Crop(area, side=side), *_dino(area, blur=0.5, solarise=0.2)[1:])


def _moco_v3(blur: float, solarise: float) -> tuple[Operation, ...]:
    return (
        Crop((0.2, 1.0)),
        Jitter(0.4, 0.4, 0.2, 0.1, p=0.8),
        Grey(0.2),
        Blur(blur),
        Solarise(solarise),
        Flip(0.5),
        Normalise(),
    )


def _small(area: float, solarise: float) -> tuple[Operation, ...]:
    return (
        Crop((area, 1.0), interpolation="bicubic"),
        Jitter(0.4, 0.4, 0.2, 0.1, p=0.8),
        Grey(0.2),
        Solarise(solarise),
        Flip(0.5),
        Normalise(),
    )


_MOCO_V2 = _alike(
    Crop((0.2, 1.0)),
    Jitter(0.4, 0.4, 0.4, 0.1, p=0.8),
    Grey(0.2),
    # MoCo's own code blurs with Pillow, which approximates this Gaussian by boxes and does not cut it at the kernel.
    Blur(0.5),
    Flip(0.5),
    Normalise(),
)

_SHRINK = Blur(1.0, factors=(1.1, 1.2, 1.5))  # what SCRL's code takes for a blur

# The order of the operations is that of the authors' code.
AUGMENTATIONS: dict[str, Augmentation] = {
    "simclr-imagenet": _alike(
        Crop((0.08, 1.0), interpolation="bicubic"), Flip(0.5), Jitter(0.8, 0.8, 0.8, 0.2, p=0.8), Grey(0.2), Blur(0.5)
    ),
    "simclr-cifar": _alike(
        Crop((0.08, 1.0), interpolation="bicubic"), Flip(0.5), Jitter(0.4, 0.4, 0.4, 0.1, p=0.8), Grey(0.2)
    ),
    "moco-v1": _alike(Crop((0.2, 1.0)), Grey(0.2), Jitter(0.4, 0.4, 0.4, 0.4), Flip(0.5), Normalise()),
    "moco-v2": _MOCO_V2,
    "moco-cifar": _alike(Crop((0.08, 1.0)), Flip(0.5), Jitter(0.4, 0.4, 0.4, 0.1, p=0.8), Grey(0.2), Normalise()),
    "simsiam-imagenet": _MOCO_V2,
    "simsiam-cifar": _alike(Crop((0.2, 1.0)), Jitter(0.4, 0.4, 0.4, 0.1, p=0.8), Grey(0.2), Flip(0.5), Normalise()),
    "byol": Augmentation((_byol(Blur(1.0), solarise=0.0), _byol(Blur(0.1), solarise=0.2))),
    "scrl": Augmentation((_byol(_SHRINK, 0.0, area=0.2), _byol(replace(_SHRINK, p=0.1), 0.2, area=0.2))),
    "scrl-small": Augmentation((_small(0.2, solarise=0.0), _small(0.2, solarise=0.2))),
    "moco-v3": Augmentation((_moco_v3(blur=1.0, solarise=0.0), _moco_v3(blur=0.1, solarise=0.2))),
    "dino-resnet50": Augmentation(
        (_dino((0.14, 1.0), blur=1.0, solarise=0.0), _dino((0.14, 1.0), blur=0.1, solarise=0.2)),
        local=_dino((0.05, 0.14), blur=0.5, solarise=0.0, side=96 / 224),
    ),
    "swav": Augmentation((_swav((0.14, 1.0)), _swav((0.14, 1.0))), local=_swav((0.05, 0.14), side=96 / 224)),
    "lejepa": _alike(*_lejepa((0.08, 1.0))),
    "lejepa-vit": Augmentation((_lejepa((0.3, 1.0)), _lejepa((0.3, 1.0))), local=_lejepa((0.05, 0.3), side=98 / 224)),
    "lejepa-small": _alike(*_small(0.08, solarise=0.2)),
    "asymmetric-cifar": Augmentation((_small(0.08, solarise=0.0), _small(0.08, solarise=0.2))),
    "vicreg-cifar": _alike(*_small(0.2, solarise=0.1)),
    "wmse": _alike(
        Jitter(0.4, 0.4, 0.4, 0.1, p=0.8), Grey(0.1), Crop((0.2, 1.0), interpolation="bicubic"), Flip(0.5), Normalise()
    ),
    "wmse-imagenet100": _alike(
        Jitter(0.8, 0.8, 0.8, 0.2, p=0.8),
        Grey(0.2),
        Crop((0.08, 1.0), interpolation="bicubic"),
        Flip(0.5),
        Blur(0.5),
        Normalise(),
    ),
}

Channels: TypeAlias = tuple[float, ...]
Statistics: TypeAlias = tuple[Channels, Channels]

# Mean and deviation of the channels, in 0..1, as in the authors' code.
STATISTICS: dict[str, Statistics] = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "cifar100": ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
    "stl10": ((0.43, 0.42, 0.39), (0.27, 0.26, 0.27)),
    "tiny-imagenet": ((0.480, 0.448, 0.398), (0.277, 0.269, 0.282)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


def augmentation_named(name: str) -> Augmentation:
    """The augmentation of that name; UserError with the nearest known name otherwise."""
    if name not in AUGMENTATIONS:
        known = ", ".join(AUGMENTATIONS)
        raise UserError(f'There is no augmentation "{name}"; known: {known}.{nearest(name, AUGMENTATIONS)}')
    return AUGMENTATIONS[name]


def statistics_named(name: str) -> Statistics:
    """The channel statistics of that name; UserError with the nearest known name otherwise."""
    if name not in STATISTICS:
        known = ", ".join(STATISTICS)
        raise UserError(f'There are no channel statistics "{name}"; known: {known}.{nearest(name, STATISTICS)}')
    return STATISTICS[name]
