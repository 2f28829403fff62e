"""Videos that are byte for byte the same, under whatever names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.words import digest
from twofold.videos.reading.source import VideoSource

PIECE = 1 << 16  # bytes at the beginning, in the middle and at the end that are compared


def marks(source: VideoSource, rows: Iterable[int], sizes: set[int] | None = None) -> dict[int, str]:
    """A mark for some videos, the same for those of the same bytes; none where no other can be the same. sizes: of
    further videos that may be."""
    size = {i: source.size(i) for i in rows}
    common = Counter(size.values())
    asked = [i for i, own in size.items() if own and (common[own] > 1 or own in (sizes or ()))]
    found = {}
    for i in asked:
        try:
            pieces = [source.piece(i, at, PIECE) for at in (0, size[i] // 2, max(size[i] - PIECE, 0))]
        except (OSError, DecodeError):  # it has gone
            continue
        found[i] = digest([size[i], *(piece.hex() for piece in pieces)])
    return found
