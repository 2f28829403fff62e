"""From a batch of clips to its views. What stands here loads no torch."""

from twofold.videos.rule import Sampling
from twofold.videos.views.augmentations import AUGMENTATIONS, ClipAugmentation, augmentation_named

__all__ = ["AUGMENTATIONS", "ClipAugmentation", "Sampling", "augmentation_named"]
