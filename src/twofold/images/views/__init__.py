"""From a batch of pictures to its views: recipes as data, drawn parameters as a record, one fast and one exact path."""

from twofold.images.views.recipes import RECIPES, STATISTICS, Recipe
from twofold.images.views.views import ImageViews, evaluation_view

__all__ = ["RECIPES", "STATISTICS", "ImageViews", "Recipe", "evaluation_view"]
