"""Views of pictures that are not red, green and blue: which operations they have, and what they are normalised with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twofold.errors import UserError
from twofold.pixels.batch import RGB
from twofold.pixels.views.augmentations import (
    STATISTICS,
    Augmentation,
    Channel,
    Grey,
    Jitter,
    Normalise,
    Operation,
    Solarise,
    Statistics,
    statistics_named,
)

OFF = {Grey: "grey", Channel: "single channels", Solarise: "solarisation"}
DIGITS = 6  # significant


def for_channels(augmentation: Augmentation, channels: int) -> Augmentation:
    """The augmentation for pictures of so many channels, normalised at the end in every case.

    For other numbers than three without what needs red, green and blue (saturation, hue, grey, single channels) or an
    upper half of the levels (solarisation); brightness and contrast stay, for all channels alike.
    """
    own = [tuple(_kept(ops, channels)) for ops in (*augmentation.views, augmentation.local)]
    local = own.pop() if augmentation.local else own.pop()[:0]
    return replace(augmentation, views=tuple(own), local=local)


def left_out(augmentation: Augmentation, channels: int) -> list[str]:
    """The names of what `for_channels` leaves out."""
    if channels == RGB:
        return []
    ops = [op for view in (*augmentation.views, augmentation.local) for op in view]
    jitters = [op for op in ops if isinstance(op, Jitter)]
    found = [name for name in ("saturation", "hue") if any(getattr(op, name) for op in jitters)]
    return found + [name for kind, name in OFF.items() if any(isinstance(op, kind) for op in ops)]


def _kept(ops: Sequence[Operation], channels: int) -> list[Operation]:
    kept: list[Operation] = []
    for op in ops:
        if channels != RGB and isinstance(op, Jitter):
            op = replace(op, saturation=0.0, hue=0.0)
        if channels == RGB or not isinstance(op, tuple(OFF)):
            kept.append(op)
    return kept if any(isinstance(op, Normalise) for op in kept) else [*kept, Normalise()]


def statistics_text(statistics: Statistics) -> str:
    """Means and deviations as `statistics_of` reads them: 0.1,0.2:0.05,0.06."""
    return ":".join(",".join(f"{value:.{DIGITS}g}" for value in values) for values in statistics)


def statistics_of(text: str, channels: int = RGB) -> Statistics:
    """Mean and deviation of each channel, by a name or as numbers: all means, a colon, all deviations.

    Raises UserError for an unknown name, and where they are of another number of channels.
    """
    if ":" not in text:
        found = statistics_named(text)
        if text == "none":
            return (0.0,) * channels, (1.0,) * channels
        if channels != RGB:
            raise UserError(f"The statistics {text} are those of RGB, not of {channels} channels: leave them out.")
        return found
    try:
        mean, std = (tuple(float(value) for value in part.split(",")) for part in text.split(":"))
    except ValueError as error:
        raise UserError(
            f"Statistics are one of {', '.join(STATISTICS)}, measured, or as many means as channels, a colon and as "
            f"many deviations (0.1,0.2:0.05,0.06), not {text:.80}."
        ) from error
    if len(mean) != channels or len(std) != channels or not all(value > 0 for value in std):
        raise UserError(
            f"The statistics {text:.80} are not {channels} means and as many deviations above 0: give one of each for "
            f"every channel."
        )
    return mean, std
