"""From a batch of clips to its views."""

from twofold.videos.views.augmentations import AUGMENTATIONS, ClipAugmentation, augmentation_named
from twofold.videos.views.pretext import Exercise, Pretext
from twofold.videos.views.views import ClipViews, evaluation_view

__all__ = [
    "AUGMENTATIONS",
    "ClipAugmentation",
    "ClipViews",
    "Exercise",
    "Pretext",
    "augmentation_named",
    "evaluation_view",
]
