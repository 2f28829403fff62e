"""From a batch of pictures to its views: augmentations as data, draws as records, one fast and one exact path."""

from twofold.images.views.augmentations import AUGMENTATIONS, STATISTICS, Augmentation
from twofold.images.views.views import ImageViews, evaluation_view

__all__ = ["AUGMENTATIONS", "STATISTICS", "Augmentation", "ImageViews", "evaluation_view"]
