"""What `check` says of videos: frames, seconds, sizes, codecs, keyframes, and whatever is odd about them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from twofold.errors import UserError
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.words import by_reason, count_list
from twofold.printable import printable
from twofold.resources import usable_cores
from twofold.runs.screen import OnProgress
from twofold.videos.colour import is_hdr
from twofold.videos.motion import still_share
from twofold.videos.orientation import display_matrix, orientation_of
from twofold.videos.reading.clips import damage
from twofold.videos.reading.packed import PackedVideo
from twofold.videos.reading.source import VideoSource
from twofold.videos.reading.store import opened_video
from twofold.videos.reading.video import Video

LOOKED_AT = 2000  # videos, spread over the set
FAR = 60  # frames to be decoded for one, from which on preparing is advised
STILL_OF = 20  # videos whose motion vectors are looked at
THROUGHOUT, LONGEST = 10.0, 3000  # seconds in which videos of so many frames at most are decoded from end to end
SEVERAL, REPEATED = 1.5, 0.1


@dataclass(frozen=True)
class Facts:
    """Of one video. size: height and width as shown. gap: the most frames from one start of decoding to the next.
    claimed: frames that its header tells, 0 for none."""

    frames: int
    seconds: float
    rate: float
    size: tuple[int, int]
    codec: str
    gap: int
    claimed: int
    stretches: int
    counted: bool = False
    interlaced: bool = False
    hdr: bool = False
    turned: bool = False
    oblong: bool = False
    streams: int = 1


def facts_of(video: Video) -> Facts:
    """What a video is. Raises DecodeError where its first frame cannot be decoded."""
    frame, table, opened = video.first(), video.table, video.opened
    starts = [start.frame for start in table.starts]
    turn = orientation_of(display_matrix(frame))
    size = video.shown_size(frame)
    stored = (frame.width, frame.height) if turn.transpose else (frame.height, frame.width)
    return Facts(
        frames=len(table),
        seconds=float(table.times[-1]) + (1 / table.rate if table.rate else 0.0),
        rate=table.rate,
        size=size,
        codec=opened.codec.name,
        gap=int(np.diff([*starts, len(table)]).max()),
        claimed=table.claimed,
        stretches=len(table.stretches),
        counted=table.stamps is None,
        interlaced=bool(frame.interlaced_frame),
        hdr=is_hdr(frame),
        turned=turn.transpose or turn.flip_x or turn.flip_y,
        oblong=size != stored,
        streams=1 + opened.others,
    )


@dataclass(frozen=True)
class Walked:
    """Videos that were decoded from end to end, their frames, and by number how many of them did not come."""

    videos: int
    frames: int
    lost: dict[int, int]


@dataclass(frozen=True)
class Findings:
    """Of a set. looked_at: how many videos were opened. broken: name -> why. still: the share of frames in which
    nothing moves, of some videos, None where no vectors are told. walked: what a few gave from end to end."""

    source: VideoSource
    looked_at: int
    facts: dict[int, Facts]
    broken: dict[str, str]
    still: float | None
    walked: Walked = Walked(0, 0, {})

    def lines(self) -> Iterator[str]:
        """The findings, a sentence each."""
        yield self.source.describe()
        yield from self.source.notes
        if self.looked_at < len(self.source):
            yield f"{self.looked_at:,} of them, spread over the set, were opened."
        if self.broken:
            yield f"{len(self.broken):,} cannot be decoded: {by_reason(self.broken)}"
        if self.walked.videos:
            whole = "" if self.walked.lost else ": all of them come"
            yield f"{self.walked.videos:,} were decoded from end to end, {self.walked.frames:,} frames{whole}"
            yield from damage(self.source.names, self.walked.lost)
        if self.facts:
            yield from self._sizes()
            yield from self._oddities()

    def _sizes(self) -> Iterator[str]:
        found = list(self.facts.values())
        yield f"frames: {_span([f.frames for f in found])}; seconds: {_span([f.seconds for f in found], '.1f')}"
        rates = [f.rate for f in found if f.rate]
        unlike = " (a stride is of unlike length in time: --fps)" if rates and max(rates) > SEVERAL * min(rates) else ""
        yield f"frames a second: {_span(rates, '.3g')}{unlike}" if rates else "frames a second: not known"
        sizes = Counter(f"{f.size[1]} x {f.size[0]}" for f in found)
        yield f"sizes: {count_list(dict(sizes))}; codecs: {count_list(dict(Counter(f.codec for f in found)))}"
        gaps = [f.gap for f in found]
        far = float(np.median(gaps)) > FAR
        advice = " (a clip is decoded from there: twofold prepare writes every frame once)" if far else ""
        yield f"most frames from one start of decoding to the next: {_span(gaps)}{advice}"

    def _oddities(self) -> Iterator[str]:
        for name, words in ODD:
            names = [printable(self.source.names[i]) for i, f in self.facts.items() if name(f)]
            if names:
                yield f"{len(names):,} {words} (such as {names[0]})"
        if self.still is None and any(f.codec != "prepared" for f in self.facts.values()):
            yield "none of those looked at tells its motion, which cmd learns from: twofold prepare --motion"
        if self.still is not None and self.still > REPEATED:
            yield (
                f"in {self.still:.0%} of the frames looked at nothing moves: they may be repeated, and then playback "
                "rates and motion are learned falsely"
            )


ODD: Sequence[tuple[Callable[[Facts], bool], str]] = (
    (
        lambda f: f.gap == f.frames and f.frames > 100,
        "have one start of decoding: each clip is decoded from there",
    ),
    (lambda f: f.counted, "tell no times that can be believed: frames are counted, and decoded from the beginning"),
    (lambda f: bool(f.claimed) and f.claimed != f.frames, "hold another number of frames than their header tells"),
    (lambda f: f.stretches > 1, "jump in time, as joined recordings do; no clip crosses a jump"),
    (lambda f: f.interlaced, "are interlaced, and are read as they are: twofold prepare deinterlaces them"),
    (lambda f: f.hdr, "are HDR, brought to plain colours by one tone map"),
    (lambda f: f.turned, "are turned or mirrored as they ask for"),
    (lambda f: f.oblong, "have pixels that are not square, and are stretched"),
    (lambda f: f.streams > 1, "hold several films, of which the default one is read"),
)


def examine(source: VideoSource, on_progress: Callable[[int, int], None] | None = None) -> Findings:
    """Open every video, or 2,000 spread over the set."""
    chosen = np.unique(np.linspace(0, len(source) - 1, min(LOOKED_AT, len(source))).astype(int)).tolist()
    facts: dict[int, Facts] = {}
    broken: dict[str, str] = {}
    with ThreadPoolExecutor(usable_cores()) as threads:
        for done, (i, found) in enumerate(zip(chosen, threads.map(lambda i: _fact(source, i), chosen), strict=True), 1):
            if isinstance(found, str):
                broken[printable(source.names[i])] = found
            else:
                facts[i] = found
            if on_progress:
                on_progress(done, len(chosen))
    return Findings(source, len(chosen), facts, broken, _still(source, list(facts)))


def walk_some(findings: Findings, on_progress: OnProgress) -> Findings:
    """With what videos spread over the set give, decoded from end to end for some seconds."""
    source, facts, broken = findings.source, dict(findings.facts), dict(findings.broken)
    short = [i for i, found in facts.items() if found.frames <= LONGEST and found.codec != "prepared"]
    done, frames, lost, ends = 0, 0, dict[int, int](), time.monotonic() + THROUGHOUT
    for i in np.random.default_rng(0).permutation(np.array(short, int)).tolist():
        on_progress(done, len(short))
        if time.monotonic() > ends:
            break
        try:
            with closing(opened_video(source, i)) as video:
                if isinstance(video, Video):
                    video.walk(lambda number, frame: None)
                done, frames = done + 1, frames + len(video)
                if video.lost:
                    lost[i] = video.lost
        except DecodeError as error:
            broken[printable(source.names[i])] = error.reason
            del facts[i]
    return replace(findings, facts=facts, broken=broken, walked=Walked(done, frames, lost))


def _fact(source: VideoSource, i: int) -> Facts | str:
    try:
        video = opened_video(source, i)
        try:
            return facts_of(video) if isinstance(video, Video) else _prepared(video)
        finally:
            video.close()
    except DecodeError as error:
        return error.reason


def _prepared(video: PackedVideo) -> Facts:
    table, rate = video.table, video.table.rate
    seconds = float(table.times[-1]) + (1 / rate if rate else 0.0)
    return Facts(len(table), seconds, rate, video.size(), "prepared", 1, 0, len(table.stretches))


def _still(source: VideoSource, readable: Sequence[int]) -> float | None:
    found = []
    for i in readable[:: max(1, len(readable) // STILL_OF)][:STILL_OF]:
        try:
            file: str | BinaryIO = source.file(i)
            found.append(still_share(file))
        except (OSError, DecodeError, UserError):
            continue
    return float(np.mean(found)) if found else None


def _span(values: Sequence[float], form: str = ",") -> str:
    """'20 to 142, median 60'."""
    low, middle, high = min(values), float(np.median(values)), max(values)
    middle = round(middle) if form == "," else middle
    return f"{low:{form}}" if low == high else f"{low:{form}} to {high:{form}}, median {middle:{form}}"
