"""What levels beyond 8 bits, a fourth channel and further ones mean in a set of images: as the user says, else guessed
from a sample.

The guess is one for the whole set, never one an image, and is always said.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Literal, cast

import numpy as np
from PIL import Image

from twofold.errors import UserError
from twofold.images.reading.channels import channels_of, keep_channels
from twofold.images.reading.decode import open_header
from twofold.images.reading.deep import (
    bands,
    deep_strips,
    has_fourth,
    is_deep,
    is_deep_colour,
    says_white,
    strips,
)
from twofold.images.reading.layout import COLOURS, channels_last
from twofold.images.reading.pixels import UNIT, WHOLE, PixelRule
from twofold.images.reading.source import Source
from twofold.images.reading.stacks import read_stack
from twofold.pixels.batch import MOST_CHANNELS
from twofold.pixels.reading.failure import DecodeError
from twofold.resources import usable_cores

LOOKED_AT = 64
WHITES = (255, 1023, 4095, 16383, WHOLE)  # of 8, 10, 12, 14 and 16 bits
BRIGHT = 16  # floats whose brightest is below this and above 1 may be anything
EXTREME = 0.1  # share of pixels wholly clear or wholly opaque below which a fourth channel is no transparency


@dataclass(frozen=True)
class Seen:
    """What one image holds. levels: least and most of its colours, where it has more than 8 bits; whole: as integers.
    data: whether its fourth channel, if any, looks like something measured, not like transparency. bands: what kind of
    TIFF or array it is, where no colours can be made of its bands. channels: how many it has; pages: of a TIFF, how
    many that are alike."""

    levels: tuple[float, float] | None = None
    whole: bool = True
    data: bool | None = None
    bands: str = ""
    channels: int = 3
    pages: int = 1


def settle_pixels(
    source: Source,
    white: float | None = None,
    fourth: str = "auto",
    *,
    channels: str | int = "auto",
    black: float | None = None,
    refuse: bool = False,
) -> list[str]:
    """Give the source the rule by which its pixels are read, and return what is to be said of that, in lines.

    white, black, fourth, channels: what the user says, None and "auto" where nothing; channels may be "rgb". Up to 64
    images spread over the set are looked at, those of more than 8 bits or four channels in full; others in it are read
    by the same rule. Where channels are kept as they are, see `channels.keep_channels`. refuse: raise a UserError where
    all of them have bands of which no colours can be made.
    """
    rows = np.unique(np.linspace(0, len(source) - 1, min(LOOKED_AT, len(source))).astype(int)).tolist()
    seen = _look(source, rows)
    kept = channels if isinstance(channels, int) else None
    if channels == "auto":
        kept = channels_of([one.channels for one in seen])
    if kept:
        notes = keep_channels(source, rows, kept, white, black, guessed=channels == "auto")
    else:
        notes = _settle_colours(source, seen, white, fourth, black or 0.0, refuse)
    source.pixel_notes = list(notes)
    return list(source.pixel_notes)


def _settle_colours(
    source: Source, seen: Sequence[Seen], white: float | None, fourth: str, black: float, refuse: bool
) -> Iterator[str]:
    """Give the source the rule by which RGB is made of its pixels; what is to be said of that."""
    many = _bands(seen)
    if refuse and many and all(one.bands for one in seen):
        raise UserError(
            f"{source.path}: {many[0]}, which are not known to be red, green and blue: save three as RGB, or at most "
            f"{MOST_CHANNELS} to be kept as they are."
        )
    deep = [one for one in seen if one.levels]
    four = [one for one in seen if one.data is not None]
    guessed = white is None
    white = _white(deep) if white is None else white
    data = sum(bool(one.data) for one in four)
    chosen = fourth if fourth != "auto" else None if not four else "drop" if 2 * data > len(four) else "alpha"
    source.pixels = PixelRule(white, cast(Literal["alpha", "drop"] | None, chosen), black=black)
    yield from (
        f"bands: {note}, which cannot be read: save three of the bands as RGB, or keep all by --channels"
        for note in many
    )
    yield from _pages(seen)
    yield from _levels(deep, len(seen), white, guessed)
    yield from _fourth(four, len(seen), chosen, fourth == "auto")


def _pages(seen: Sequence[Seen]) -> Iterator[str]:
    kinds = Counter(one.pages for one in seen if one.channels == 1 and 1 < one.pages <= MOST_CHANNELS)
    for pages, count in kinds.most_common(1):
        yield (
            f"pages: {count} of {len(seen)} images looked at are TIFFs of {pages} pages, of which the first is read "
            f"(--channels {pages} takes them for channels)"
        )


def _bands(seen: Sequence[Seen]) -> list[str]:
    kinds = Counter(one.bands for one in seen if one.bands)
    return [
        f"{count} of {len(seen)} images looked at are {kind.replace('a TIFF', 'TIFFs').replace('an array', 'arrays')}"
        for kind, count in kinds.most_common(1)
    ]


def _levels(deep: Sequence[Seen], looked: int, white: float | None, guessed: bool) -> Iterator[str]:
    if not deep:
        return
    least, most = _range(deep)
    about = f"levels: {len(deep)} of {looked} images looked at have more than 8 bits, {least:,.6g} to {most:,.6g}"
    if white is None:
        yield f"{about}; which of them is white is not known: give it by --white"
    else:
        yield f"{about}; {white:,.6g} counts as white" + (" (a guess; --white sets it)" if guessed else "")


def _fourth(four: Sequence[Seen], looked: int, chosen: str | None, guessed: bool) -> Iterator[str]:
    if not four:
        return
    does = {"drop": "left out", "alpha": "taken for transparency and laid over white"}[chosen or "alpha"]
    why = " (a guess; --fourth-channel sets it, --channels 4 keeps it)" if guessed else ""
    yield f"fourth channel: {len(four)} of {looked} images looked at have one, which is {does}{why}"


def _white(deep: Sequence[Seen]) -> float | None:
    """The least level of a usual depth that covers the sample; None where there is none, or nothing to guess from."""
    if not deep:
        return None
    (least, most), whole = _range(deep), any(one.whole for one in deep)
    if least < 0 or not np.isfinite(most):
        return None
    if not whole and most <= UNIT:
        return UNIT
    if not whole and most < BRIGHT:
        return None
    return next((float(white) for white in WHITES if most <= white), None)


def _range(deep: Sequence[Seen]) -> tuple[float, float]:
    levels = [one.levels for one in deep if one.levels]
    return min(least for least, _ in levels), max(most for _, most in levels)


def _look(source: Source, rows: Sequence[int]) -> list[Seen]:
    with ThreadPoolExecutor(usable_cores()) as pool:
        return [seen for seen in pool.map(lambda i: _seen(source, i), rows) if seen]


def _seen(source: Source, i: int) -> Seen | None:
    """None where the image cannot be read; that is found and said when it is asked for."""
    try:
        file = source.open(i)
        if isinstance(file, np.ndarray):
            return _of_array(file)
        with file:
            header = open_header(file)
            file.seek(0)
            shape = _shape(file, header)
            if says_white(header) or not (is_deep(header) or has_fourth(header)):
                return shape
        data = source.fetch(i)
        assert isinstance(data, bytes)
        return replace(_of_parts(list(_parts(data))), channels=shape.channels, pages=shape.pages)
    except Exception:  # Pillow's plugins raise nearly everything on broken files
        return _of_bands(source, i)


def _shape(file: BinaryIO, header: Image.Image) -> Seen:
    """How many channels an image has, grey with transparency being one of four, and how many pages."""
    if header.mode in ("LA", "PA", "La"):
        return Seen(channels=4)
    stack = read_stack(file) if header.format == "TIFF" else None
    if stack is None:
        return Seen(channels=bands(header))
    return Seen(channels=stack.channels(), pages=stack.depth)


def _of_array(pixels: np.ndarray) -> Seen | None:
    found = channels_last(pixels, None) if pixels.ndim in (2, 3) else None
    if found is None:
        return None
    channels = found.shape[2] if found.ndim == 3 else 1
    if channels not in COLOURS:
        return Seen(bands=f"an array of {channels} bands", channels=channels)
    return replace(_of_parts([found]), channels=channels)


def _of_bands(source: Source, i: int) -> Seen | None:
    try:
        data = source.fetch(i)
    except DecodeError:
        return None
    stack = read_stack(io.BytesIO(data)) if isinstance(data, bytes) else None
    if stack is None or stack.pages[0].samples == 1:
        return None
    first = stack.pages[0]
    return Seen(bands=f"a TIFF of {first.samples} bands of {first.bits} bits", channels=stack.channels())


def _parts(data: bytes) -> Iterator[np.ndarray]:
    """The pixels of an encoded image as the file has them, some rows at a time."""
    image = open_header(io.BytesIO(data))
    if is_deep_colour(image):
        yield from deep_strips(image, Image.open(io.BytesIO(data), formats=[image.format or ""]))
    else:
        image.load()
        yield from strips(image)


def _of_parts(parts: Sequence[np.ndarray]) -> Seen:
    colours = [part[..., :3] if part.ndim == 3 else part for part in parts]
    deep = parts[0].dtype != np.uint8
    levels = (float(min(c.min() for c in colours)), float(max(c.max() for c in colours))) if deep else None
    four = parts[0].ndim == 3 and parts[0].shape[2] == 4
    return Seen(levels, parts[0].dtype.kind in "iu", _is_data([part[..., 3] for part in parts]) if four else None)


def _is_data(fourth: Sequence[Any]) -> bool:
    """Whether few pixels are wholly opaque or wholly clear, as cut-outs have them; or all are clear: none were seen."""
    most = max(part.max() for part in fourth)
    top = 255 if fourth[0].dtype == np.uint8 else most
    extreme = sum(int(((part == 0) | (part >= top)).sum()) for part in fourth)
    return bool(most == 0) or extreme < EXTREME * sum(part.size for part in fourth)
