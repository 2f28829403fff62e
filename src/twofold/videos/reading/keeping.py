"""The frames of a video that are kept where it is prepared: all, or so many a second; interlaced ones made whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from twofold.pixels.reading.failure import DecodeError
from twofold.videos.container import av, failures
from twofold.videos.reading.table import FrameTable
from twofold.videos.reading.video import Video
from twofold.videos.sampling import timeline

Interlaced = Literal["flagged", "all"]  # frames that are made whole: those that say they are interlaced, or all
Take = Callable[[int, Any], None]


@dataclass(frozen=True)
class Keeping:
    """fps: frames a second that are kept, nearest in time, repeated where there are fewer; all where None. whole: the
    frames that are deinterlaced, None for none."""

    fps: float | None = None
    whole: Interlaced | None = None


@dataclass(frozen=True)
class Kept:
    """numbers: int64 (m,) of the frames in the video, rising, some more than once. times: float64 (m,) seconds. begins:
    bool (m,), the first frames of stretches. deinterlaced: some of their pictures were made whole."""

    numbers: np.ndarray
    times: np.ndarray
    begins: np.ndarray
    deinterlaced: bool = False

    def __len__(self) -> int:
        return len(self.numbers)

    def places(self, number: int) -> range:
        """Where a frame of the video is kept."""
        left, right = (int(np.searchsorted(self.numbers, number, side)) for side in ("left", "right"))
        return range(left, right)


def kept_frames(table: FrameTable, fps: float | None) -> Kept:
    """The frames of a video that are kept, at their times, or at steady ones where there are so many a second."""
    lines = timeline(table.times, table.stretches, fps)
    begins = np.zeros(sum(map(len, lines)), bool)
    begins[np.cumsum([0, *map(len, lines[:-1])])] = True
    numbers = np.concatenate(lines)
    if fps is None:
        return Kept(numbers, table.times, begins)
    steady = [table.times[line[0]] + np.arange(len(line)) / fps for line in lines]
    return Kept(numbers, np.concatenate(steady), begins)


def walk_kept(video: Video, keeping: Keeping, take: Take, watch: Take | None = None) -> Kept:
    """Give every kept frame with its place among them to `take`, and each frame of the video with its number to
    `watch` as it is decoded; both begin anew at 0 where the walk does. Raises DecodeError where a frame cannot be
    decoded."""
    whole = Whole(keeping.whole)
    kept = kept_frames(video.table, keeping.fps)

    def give(ready: Iterator[tuple[int, Any]]) -> None:
        for number, frame in ready:
            for place in kept.places(number):
                take(place, frame)

    def feed(number: int, frame: Any) -> None:
        nonlocal kept
        if number == 0:
            whole.forget()
            kept = kept_frames(video.table, keeping.fps)
        if watch is not None:
            watch(number, frame)
        give(whole.push(number, frame))

    video.walk(feed)
    give(whole.end())
    return replace(kept, deinterlaced=whole.used)


class Whole:
    """Makes whole pictures of interlaced frames, one of each, by FFmpeg's bwdif: the lines of the field that is shown
    later are replaced, from the frames beside. Others pass as they are. From the first of them on, frames come out one
    later than they go in, with their numbers. used: there was one."""

    def __init__(self, which: Interlaced | None) -> None:
        self.which = which
        self.forget()

    def forget(self) -> None:
        """Begin with another walk."""
        self.used = False
        self._graph: Any = None
        self._shape: tuple[Any, ...] = ()
        self._waiting: deque[int] = deque()

    def push(self, number: int, frame: Any) -> Iterator[tuple[int, Any]]:
        """The frames that are ready once this one is there."""
        shape = (frame.width, frame.height, frame.format.name)
        if shape != self._shape:
            yield from self.end()
        if self._graph is None:
            if self.which is None or (self.which == "flagged" and not frame.interlaced_frame):
                yield number, frame
                return
            self._graph, self._shape, self.used = _graph(frame, self.which), shape, True
        self._waiting.append(number)
        yield from self._through(frame)

    def end(self) -> Iterator[tuple[int, Any]]:
        """The frames that are still inside, after which others may come."""
        if self._graph is not None:
            yield from self._through(None)
            if self._waiting:
                raise DecodeError("deinterlacing loses frames of it: give --deinterlace never")
        self._graph, self._shape = None, ()

    def _through(self, frame: Any) -> Iterator[tuple[int, Any]]:
        try:
            self._graph.push(frame)
        except failures() as error:
            raise DecodeError("it cannot be deinterlaced: give --deinterlace never") from error
        while self._waiting:
            try:
                found = self._graph.pull()
            except (BlockingIOError, EOFError):
                return
            yield self._waiting.popleft(), found


def _graph(frame: Any, which: Interlaced) -> Any:
    graph = av().filter.Graph()
    graph.threads = 1
    size = {"width": frame.width, "height": frame.height, "format": frame.format}
    source = graph.add_buffer(**size, time_base=frame.time_base or Fraction(1, 1000))
    settings = f"mode=send_frame:parity=auto:deint={'all' if which == 'all' else 'interlaced'}"
    chain = [source, graph.add("bwdif", settings), graph.add("buffersink")]
    for left, right in pairwise(chain):
        left.link_to(right)
    graph.configure()
    return graph
