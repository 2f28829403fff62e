"""From a batch of pictures to its views: augmentations as data, draws as records, one fast and one exact path.

What stands here loads no torch: an augmentation can be written, read and changed without it.
"""

from twofold.pixels.views.augmentations import (
    AUGMENTATIONS,
    STATISTICS,
    Augmentation,
    Blur,
    Channel,
    Clip,
    Crop,
    Flip,
    Grey,
    Jitter,
    Normalise,
    Rotate,
    Solarise,
    Sway,
    Window,
)

__all__ = [
    "AUGMENTATIONS",
    "STATISTICS",
    "Augmentation",
    "Blur",
    "Channel",
    "Clip",
    "Crop",
    "Flip",
    "Grey",
    "Jitter",
    "Normalise",
    "Rotate",
    "Solarise",
    "Sway",
    "Window",
]
