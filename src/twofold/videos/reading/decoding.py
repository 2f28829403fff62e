"""Frames of a file from a start on, each with its number: seeks that are checked, a decoder that is fed from there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from twofold.videos.container import Opened, failures, frames_of, open_container, packets_of
from twofold.videos.motion.vectors import export_vectors
from twofold.videos.reading.table import FrameTable, Recording, Start

BACK = (0.0, 2.0, 8.0, 32.0)  # seconds to go back by where a seek lands behind its target, as in transport streams


class Decoding:
    """A file that is open for decoding. vectors: frames come with their motion vectors. taken: bytes of the packets of
    the video that were read so far."""

    def __init__(self, file: str | BinaryIO, vectors: bool = False) -> None:
        self.file, self.vectors = file, vectors
        self._opened: Opened | None = None
        self._fresh = False
        self.taken = 0

    @property
    def opened(self) -> Opened:
        """The open file. Raises DecodeError where it cannot be opened."""
        if self._opened is None:
            if not isinstance(self.file, str):
                self.file.seek(0)
            self._opened, self._fresh = open_container(self.file), True
            if self.vectors:
                export_vectors(self._opened.codec)
        return self._opened

    def close(self) -> None:
        """Let go of the file; it is opened again where more is read."""
        if self._opened is not None:
            self._opened.container.close()
        self._opened = None

    def frames(self, table: FrameTable, start: Start) -> Iterator[tuple[int, Any]]:
        """(number, frame) from a start on, in the order of showing; frames that the table lacks are left out."""
        if table.stamps is None:
            yield from enumerate(self._decoded(self._from_the_beginning(0)))
            return
        at, own = table.recording_of(start.frame), start.stamp
        for number, packet in self._packets(table, start):
            if at + 1 < len(table.recordings) and number >= table.recordings[at + 1].packet:
                yield from _numbered(self._decode(None), table.stamps, table.recordings[at], own)
                self.opened.codec.flush_buffers()
                at, own = at + 1, None
            yield from _numbered(self._decode(packet), table.stamps, table.recordings[at], own)
        yield from _numbered(self._decode(None), table.stamps, table.recordings[at], own)

    def _decoded(self, packets: Iterable[tuple[int, Any]]) -> Iterator[Any]:
        for _, packet in packets:
            yield from self._decode(packet)
        yield from self._decode(None)

    def _decode(self, packet: Any) -> list[Any]:
        """The frames that a packet completes; of None, those held: then it takes no more until it is flushed."""
        return frames_of(self.opened.codec, packet)

    def _packets(self, table: FrameTable, start: Start) -> Iterator[tuple[int, Any]]:
        """Numbers and packets from that of a start on. Where a seek cannot be checked, or finds another packet, all
        packets from the first are passed over."""
        if start.stamp is not None and len(table.recordings) == 1 and start.packet > 0:
            for back in BACK:
                found = self._after_seek(start.stamp, back)
                if found is not None:
                    return found
        return self._from_the_beginning(start.packet)

    def _after_seek(self, stamp: int, back: float) -> Iterator[tuple[int, Any]] | None:
        """The packets from the keyframe of this time stamp on, numbered 0; None where the seek landed behind it."""
        container, stream, _ = self.opened
        self._fresh = False
        try:
            container.seek(stamp - int(back / (stream.time_base or 1)), stream=stream, backward=True)
            self.opened.codec.flush_buffers()
            packets = self._read(container, stream)
            for packet in packets:
                if packet.pts == stamp and packet.is_keyframe:
                    return _with(packet, packets)
                if packet.is_keyframe and (packet.pts is None or packet.pts > stamp):
                    return None
        except failures():
            pass
        return None

    def _read(self, container: Any, stream: Any) -> Iterator[Any]:
        for packet in packets_of(container, stream):
            self.taken += packet.size
            yield packet

    def _from_the_beginning(self, skip: int) -> Iterator[tuple[int, Any]]:
        """All packets with their numbers, from number `skip` on."""
        if not self._fresh:
            self.close()
        container, stream, _ = self.opened
        self._fresh = False
        packets = enumerate(self._read(container, stream))
        return ((number, packet) for number, packet in packets if number >= skip)


def _with(first: Any, others: Iterator[Any]) -> Iterator[tuple[int, Any]]:
    yield 0, first
    for packet in others:
        yield 0, packet


def _numbered(
    frames: Iterable[Any], stamps: np.ndarray, recording: Recording, least: int | None
) -> Iterator[tuple[int, Any]]:
    """Frames with their numbers in the table; those shown before the start, which are not whole, are left out."""
    own = stamps[recording.first : recording.last + 1]
    for frame in frames:
        if frame.pts is None or (least is not None and frame.pts < least):
            continue
        at = int(np.searchsorted(own, frame.pts))
        if at < len(own) and own[at] == frame.pts:
            yield recording.first + at, frame
