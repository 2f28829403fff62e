"""What is said of images whose channels are kept as they are, and what cannot be done with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twofold.errors import UserError
from twofold.images.reading.pixels import PixelRule
from twofold.pixels.views.augmentations import Statistics


def lines(pixels: PixelRule, statistics: Statistics, left_out: Sequence[str]) -> Iterator[str]:
    """What the views of such images are normalised with, and which operations they do without, a line each; of RGB
    nothing."""
    if not pixels.channels:
        return
    mean, deviation = (", ".join(f"{value:.4g}" for value in values) for values in statistics)
    yield f"normalised channel by channel: mean {mean}; deviation {deviation} (of levels from 0 to 1)"
    if left_out:
        yield (
            f"views without {', '.join(left_out)}, which are for red, green and blue; brightness and contrast change "
            f"all channels alike"
        )


def only_rgb(pixels: PixelRule, what: str) -> None:
    """Refuse what is there for RGB alone, in words: "Protocols on maps". pixels: the rule of a model's images."""
    if pixels.channels:
        raise UserError(
            f"{what} are there for RGB alone, and this model takes {pixels.channels} channels as they are: leave them "
            f"out."
        )
