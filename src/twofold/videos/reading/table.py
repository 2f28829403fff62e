"""What frames a video has, when they are shown, and from where each can be decoded exactly: one pass over its packets.

Headers are not believed: frame counts, durations and rates in them are absent, rounded or wrong in many files.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from twofold.pixels.reading.failure import DecodeError
from twofold.videos.container import frames_of, opened, packets_of
from twofold.videos.reading.recovery import starts_whole

GAP = 5.0  # seconds of a jump forward from which on a stretch of its own begins,
SLOW = 10  # or so many usual steps, in videos of few frames a second
BACKWARD = 0.1  # seconds of a jump back at a start, from which on what follows is another recording
PROVED = 48  # frames that are decoded to see whether times can be believed where they often cannot
DOUBTFUL = {"avi", "h264", "hevc", "mpeg", "flv", "asf", "rawvideo", "m4v", "mpegvideo", "ogg", "rm", "nut"}
USUAL_RATE = 25.0  # where a stream has neither times nor a rate


class Start(NamedTuple):
    """A frame from which on decoding is exact, the number of its packet, and that packet's time stamp."""

    frame: int
    packet: int
    stamp: int | None


class Stretch(NamedTuple):
    """Frames without a jump in time, first to last."""

    first: int
    last: int


class Recording(NamedTuple):
    """Frames whose times rise, first to last, and the number of their first packet. Files hold several where recordings
    were joined or time wraps round."""

    first: int
    last: int
    packet: int


@dataclass(frozen=True)
class FrameTable:
    """The visible frames of a video in the order of showing.

    times: float64 (n,), seconds from the first. stamps: int64 (n,), presentation times in the stream's own units, or
    None where they cannot be believed; a frame's number is then its place in the decoder's output. starts: where
    decoding may begin, ascending. stretches: parted by jumps in time; no clip crosses one. recordings: parted by jumps
    back; a stamp is found once in each. claimed: frames that the header tells, 0 where it does not.
    """

    times: np.ndarray
    stamps: np.ndarray | None
    starts: tuple[Start, ...]
    stretches: tuple[Stretch, ...]
    recordings: tuple[Recording, ...]
    claimed: int

    def __len__(self) -> int:
        return len(self.times)

    @property
    def rate(self) -> float:
        """Frames a second, the median over the video; 0 for a single frame."""
        step = _step(np.diff(self.times))
        return 1 / step if step else 0.0

    def start_for(self, number: int) -> Start:
        """The last start from which frame `number` can be decoded exactly."""
        return self.starts[max(bisect_right(self._start_frames, number) - 1, 0)]

    def recording_of(self, number: int) -> int:
        """Which of the recordings a frame is in."""
        return bisect_right([recording.first for recording in self.recordings], number) - 1

    def without(self, lost: Collection[int]) -> FrameTable:
        """The table where the frames of these numbers are not there; some are left."""
        kept = np.setdiff1d(np.arange(len(self)), list(lost))
        at = {int(number): i for i, number in enumerate(kept)}
        starts = [start._replace(frame=at[start.frame]) for start in self.starts if start.frame in at]
        times = self.times[kept] - self.times[kept[0]]
        recordings = [
            Recording(first, last, recording.packet)
            for recording in self.recordings
            if (first := int(np.searchsorted(kept, recording.first)))
            <= (last := int(np.searchsorted(kept, recording.last, "right")) - 1)
        ]
        stamps = None if self.stamps is None else self.stamps[kept]
        return FrameTable(
            times, stamps, _from_the_first(starts), _stretches(times, recordings), tuple(recordings), self.claimed
        )

    @cached_property
    def _start_frames(self) -> list[int]:
        return [start.frame for start in self.starts]


@dataclass(frozen=True)
class _Packet:
    number: int
    stamp: int | None
    order: int | None
    start: bool
    hidden: bool


def table_of(file: str | BinaryIO) -> FrameTable:
    """The table of a video by its packets; decodes its first frames where a container's times are often wrong, and all
    of them where they are. It may hold frames that the decoder does not give: see `sieve`. Raises DecodeError where
    there is no frame."""
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
    table = _by_stamps(packets, unit, rate)
    stamps = table.stamps
    assert stamps is not None
    if any((np.diff(stamps[r.first : r.last + 1]) == 0).any() for r in table.recordings):
        return table_by_decoding(file)  # two frames of one time cannot be told apart
    return replace(table, claimed=claimed)


def table_by_decoding(file: str | BinaryIO) -> FrameTable:
    """The table of a video whose times cannot be believed: the decoder's output counted; decoding starts at the
    beginning. Raises DecodeError where there is no frame."""
    with opened(file) as (container, stream, _):
        rate, count = _rate(stream) or USUAL_RATE, sum(1 for _ in _decoded(container, stream))
        claimed = max(int(stream.frames or 0), 0)
    if not count:
        raise DecodeError("no frame that can be decoded")
    times = np.arange(count) / rate
    whole = Recording(0, count - 1, 0)
    return FrameTable(times, None, (Start(0, 0, None),), (Stretch(0, count - 1),), (whole,), claimed)


def _packets(container: Any, stream: Any) -> list[_Packet]:
    h264 = stream.codec_context.name == "h264"
    found: list[_Packet] = []
    for packet in packets_of(container, stream):
        start = packet.is_keyframe and (not h264 or starts_whole(bytes(packet), stream.codec_context.extradata))
        found.append(_Packet(len(found), packet.pts, packet.dts, bool(start), bool(packet.is_discard)))
    return found


def _rate(stream: Any) -> float:
    rate = stream.average_rate or stream.guessed_rate or 0
    return float(rate) if 0 < rate < 1000 else 0.0


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    for packet in packets_of(container, stream):
        yield from frames_of(stream.codec_context, packet)
    yield from frames_of(stream.codec_context, None)


def _proved(file: str | BinaryIO, packets: Sequence[_Packet]) -> bool:
    """Whether the first frames come out of the decoder with the times of the packets, in rising order, from no later
    than the first start on."""
    expected = sorted(packet.stamp for packet in packets if not packet.hidden and packet.stamp is not None)
    begin = next((packet.stamp for packet in packets if packet.start), None)
    with opened(file) as (container, stream, _):
        found = [frame.pts for frame in islice(_decoded(container, stream), PROVED)]
    if not found or found[0] is None or begin is None or found[0] > begin:
        return False
    at = bisect_left(expected, found[0])
    return found == expected[at : at + len(found)]


def _by_stamps(packets: Sequence[_Packet], unit: Fraction, rate: float) -> FrameTable:
    stamps: list[int] = []
    starts: list[Start] = []
    recordings: list[Recording] = []
    for part in _parts(packets, unit):
        first = len(stamps)
        own = sorted(packet.stamp for packet in part if not packet.hidden and packet.stamp is not None)
        stamps += own
        if not own:
            continue
        recordings.append(Recording(first, len(stamps) - 1, part[0].number))
        for packet in part:
            frame = first + bisect_left(own, packet.stamp or 0)
            if packet.start and first <= frame < len(stamps):
                starts.append(Start(frame, packet.number, packet.stamp))
    if not stamps:
        raise DecodeError("no visible frame in it")
    values = np.array(stamps, np.int64)
    times = _times(values * float(unit), recordings, rate)
    return FrameTable(times, values, _from_the_first(starts), _stretches(times, recordings), tuple(recordings), 0)


def _from_the_first(starts: Sequence[Start]) -> tuple[Start, ...]:
    """The starts, with the beginning of the file where the first frame is not whole by itself."""
    return tuple(starts) if starts and starts[0].frame == 0 else (Start(0, 0, None), *starts)


def _parts(packets: Sequence[_Packet], unit: Fraction) -> list[list[_Packet]]:
    """Packets between jumps back in time: of what is shown, at a start behind all that came; or of the order of
    decoding, anywhere."""
    parts: list[list[_Packet]] = [[]]
    latest, ordered, least = None, None, BACKWARD / float(unit)
    for packet in packets:
        stamp, order = packet.stamp or 0, packet.order
        behind = latest is not None and packet.start and stamp < latest - least
        if behind or (ordered is not None and order is not None and order < ordered - least):
            parts.append([])
            latest = None
        parts[-1].append(packet)
        latest = stamp if latest is None else max(latest, stamp)
        ordered = ordered if order is None else order
    return parts


def _times(seconds: np.ndarray, recordings: Sequence[Recording], rate: float) -> np.ndarray:
    """Times of all recordings behind one another, from 0, each a frame after the one before."""
    usual = _step(np.concatenate([np.diff(seconds[r.first : r.last + 1]) for r in recordings]))
    times, shift = seconds.copy(), 0.0
    for first, last, _ in recordings:
        times[first : last + 1] += shift - seconds[first]
        shift = times[last] + (usual or 1 / (rate or USUAL_RATE))
    return times


def _stretches(times: np.ndarray, recordings: Sequence[Recording]) -> tuple[Stretch, ...]:
    """The frames between jumps: of one recording, less than GAP apart."""
    steps = np.diff(times)
    seams = set((np.flatnonzero(steps > max(GAP, SLOW * _step(steps))) + 1).tolist())
    firsts = sorted(seams | {recording.first for recording in recordings})
    return tuple(Stretch(first, after - 1) for first, after in zip(firsts, [*firsts[1:], len(times)], strict=True))


def _step(steps: np.ndarray) -> float:
    """The usual one of the steps in time that go forward; 0 where there is none."""
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else 0.0
