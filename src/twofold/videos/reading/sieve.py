"""Frames that a file has and the decoder does not give: those that lean on others before a cut, and damaged ones."""

from __future__ import annotations

import time
from bisect import bisect_left
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import BinaryIO

from twofold.pixels.reading.failure import DecodeError
from twofold.videos.reading.decoding import Decoding
from twofold.videos.reading.table import PROVED, FrameTable, Start, table_of

LONGEST = 600.0  # seconds of decoding all frames, where some are missing


def sound_table(file: str | BinaryIO) -> FrameTable:
    """The table of a video without the frames that cannot be decoded because it was cut before them, in the middle of a
    group or before an open one. Raises DecodeError where there is no frame."""
    table = table_of(file)
    if table.stamps is None:
        return table
    whole, lost = [start.frame for start in table.starts if start.stamp is not None], set[int]()
    for recording in table.recordings:
        at = bisect_left(whole, recording.first)
        begin = min(whole[at] if at < len(whole) else len(table), recording.last + 1)
        if begin > recording.first:
            lost |= _lost(file, table, Start(recording.first, recording.packet, None), begin)
    return table.without(lost) if 0 < len(lost) < len(table) else table


def sieved(file: str | BinaryIO, table: FrameTable) -> FrameTable:
    """The table without the frames that a decode from the beginning does not give; where it gives all of them, with no
    start but the beginning. Raises DecodeError where there is no frame, or decoding takes too long."""
    given, ends = set[int](), time.monotonic() + LONGEST
    with closing(Decoding(file)) as decoding:
        for number, _ in decoding.frames(table, Start(0, 0, None)):
            given.add(number)
            if time.monotonic() > ends:
                raise DecodeError(f"frames are missing, and to count the others takes longer than {LONGEST:.0f} s")
    if not given:
        raise DecodeError("no frame that can be decoded")
    lost = set(range(len(table))) - given
    return table.without(lost) if lost else replace(table, starts=(Start(0, 0, None),))


def _lost(file: str | BinaryIO, table: FrameTable, start: Start, begin: int) -> set[int]:
    """The frames from a start, where nothing before is known, to `begin`, the first whole one, that do not come."""
    given = set[int]()
    with closing(Decoding(file)) as decoding:
        for number, _ in islice(decoding.frames(table, start), PROVED):
            if number >= begin:
                return set(range(start.frame, begin)) - given
            given.add(number)
    return set(range(start.frame, min(given, default=begin)))
