"""What frames a video has, when they are shown, and from where each can be decoded exactly: one pass over its packets.

Headers are not believed: frame counts, durations and rates in them are absent, rounded or wrong in many files.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from twofold.pixels.reading.failure import DecodeError
from twofold.videos.container import failures, opened
from twofold.videos.reading.recovery import starts_whole

GAP = 5.0  # seconds of a jump forward from which on a part of its own begins
PROVED = 48  # frames that are decoded to see whether times can be believed, where they often cannot
DOUBTFUL = {"avi", "h264", "hevc", "mpeg", "flv", "asf", "rawvideo", "m4v", "mpegvideo", "ogg", "rm", "nut"}
USUAL_RATE = 25.0  # where a stream has neither times nor a rate


class Start(NamedTuple):
    """A frame from which on decoding is exact, the number of its packet, and that packet's time stamp."""

    frame: int
    packet: int
    stamp: int | None


class Stretch(NamedTuple):
    """Frames without a jump in time, first to last, and the number of their first packet."""

    first: int
    last: int
    packet: int


@dataclass(frozen=True)
class FrameTable:
    """The visible frames of a video in the order of showing.

    times: float64 (n,), seconds from the first. stamps: int64 (n,), presentation times in the stream's own units, or
    None where they cannot be believed; a frame's number is then its place in the decoder's output. starts: where
    decoding may begin, ascending. stretches: parted by jumps in time; no clip crosses one. claimed: frames that the
    header tells, 0 where it does not.
    """

    times: np.ndarray
    stamps: np.ndarray | None
    starts: tuple[Start, ...]
    stretches: tuple[Stretch, ...]
    claimed: int

    def __len__(self) -> int:
        return len(self.times)

    @property
    def rate(self) -> float:
        """Frames a second, the median over the video; 0 for a single frame."""
        steps = np.diff(self.times)
        steps = steps[steps > 0]
        return float(1 / np.median(steps)) if len(steps) else 0.0

    def start_for(self, number: int) -> Start:
        """The last start from which frame `number` can be decoded exactly."""
        return self.starts[max(bisect_right([start.frame for start in self.starts], number) - 1, 0)]

    def stretch_of(self, number: int) -> int:
        """Which of the stretches a frame is in."""
        return bisect_right([stretch.first for stretch in self.stretches], number) - 1


@dataclass(frozen=True)
class _Packet:
    number: int
    stamp: int | None
    start: bool
    hidden: bool


def table_of(file: str | BinaryIO) -> FrameTable:
    """The table of a video; decodes its first frames where a container's times are often wrong, and all of them where
    they are. Raises DecodeError where there is no frame."""
    with opened(file) as (container, stream, _):
        packets = _packets(container, stream)
        unit = stream.time_base or Fraction(1, 90_000)
        rate = _rate(stream)
        claimed = max(int(stream.frames or 0), 0)
        doubtful = bool(DOUBTFUL & set(container.format.name.split(",")))
    if not packets:
        raise DecodeError("no frame in it")
    believed = all(packet.stamp is not None for packet in packets)
    if believed and doubtful:
        believed = _proved(file, packets)
    if not believed:
        return table_by_decoding(file)
    table = _by_stamps(packets, unit)
    if any((np.diff(table.stamps[s.first : s.last + 1]) == 0).any() for s in table.stretches):  # type: ignore[index]
        return table_by_decoding(file)  # two frames of one time cannot be told apart
    return replace(table, times=_repaired(table, rate), claimed=claimed)


def table_by_decoding(file: str | BinaryIO) -> FrameTable:
    """The table of a video whose times cannot be believed: the decoder's output counted; decoding starts at the
    beginning. Raises DecodeError where there is no frame."""
    with opened(file) as (container, stream, _):
        rate, count = _rate(stream) or USUAL_RATE, sum(1 for _ in _decoded(container, stream))
        claimed = max(int(stream.frames or 0), 0)
    if not count:
        raise DecodeError("no frame that can be decoded")
    times = np.arange(count) / rate
    return FrameTable(times, None, (Start(0, 0, None),), (Stretch(0, count - 1, 0),), claimed)


def _packets(container: Any, stream: Any) -> list[_Packet]:
    h264 = stream.codec_context.name == "h264"
    found: list[_Packet] = []
    try:
        for packet in container.demux(stream):
            if packet.size:
                start = packet.is_keyframe and (not h264 or starts_whole(bytes(packet), stream.codec_context.extradata))
                found.append(_Packet(len(found), packet.pts, bool(start), bool(packet.is_discard)))
    except failures():
        pass  # a file that breaks off has the frames before that
    return found


def _rate(stream: Any) -> float:
    rate = stream.average_rate or stream.guessed_rate or 0
    return float(rate) if 0 < rate < 1000 else 0.0


def _decoded(container: Any, stream: Any) -> Any:
    failing = failures()  # looked up here: at the end of the program modules are gone
    try:
        yield from container.decode(stream)
    except failing:
        return


def _proved(file: str | BinaryIO, packets: Sequence[_Packet]) -> bool:
    """Whether the first frames come out of the decoder with the times of the packets, in rising order."""
    expected = sorted(packet.stamp for packet in packets if not packet.hidden and packet.stamp is not None)
    with opened(file) as (container, stream, _):
        found = [frame.pts for frame in islice(_decoded(container, stream), PROVED)]
    return found == expected[: len(found)]


def _by_stamps(packets: Sequence[_Packet], unit: Fraction) -> FrameTable:
    stamps: list[int] = []
    starts: list[Start] = []
    stretches: list[Stretch] = []
    for part in _parts(packets, unit):
        first = len(stamps)
        own = sorted(packet.stamp for packet in part if not packet.hidden and packet.stamp is not None)
        stamps += own
        if not own:
            continue
        stretches.append(Stretch(first, len(stamps) - 1, part[0].number))
        for packet in part:
            frame = first + bisect_left(own, packet.stamp or 0)
            if packet.start and first <= frame < len(stamps):
                starts.append(Start(frame, packet.number, packet.stamp))
    if not stamps:
        raise DecodeError("no visible frame in it")
    if not starts or starts[0].frame > 0:
        starts.insert(0, Start(0, 0, None))
    values = np.array(stamps, np.int64)
    times = np.concatenate([(values[s.first : s.last + 1] - values[s.first]) * float(unit) for s in stretches])
    return FrameTable(times, values, tuple(starts), tuple(stretches), 0)


def _parts(packets: Sequence[_Packet], unit: Fraction) -> list[list[_Packet]]:
    """Packets between jumps in time: backward at a keyframe behind all that came, or forward by more than GAP."""
    parts: list[list[_Packet]] = [[]]
    latest, gap = None, GAP / float(unit)
    for packet in packets:
        stamp = packet.stamp or 0
        jump = latest is not None and ((packet.start and stamp < latest - gap / 50) or stamp > latest + gap)
        if jump and parts[-1]:
            parts.append([])
            latest = None
        parts[-1].append(packet)
        latest = stamp if latest is None else max(latest, stamp)
    return parts


def _repaired(table: FrameTable, rate: float) -> np.ndarray:
    """Times of all parts behind one another, each a frame after the one before."""
    times, shift = table.times.copy(), 0.0
    step = 1 / (table.rate or rate or USUAL_RATE)
    for first, last, _ in table.stretches:
        times[first : last + 1] += shift
        shift = times[last] + step
    return times
