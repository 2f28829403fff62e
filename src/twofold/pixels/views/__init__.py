"""From a batch of pictures to its views: augmentations as data, draws as records, one fast and one exact path."""

from twofold.pixels.views.augmentations import AUGMENTATIONS, STATISTICS, Augmentation
from twofold.pixels.views.views import ImageViews, evaluation_view

__all__ = ["AUGMENTATIONS", "STATISTICS", "Augmentation", "ImageViews", "evaluation_view"]
