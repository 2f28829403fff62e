"""Motion vectors and keyframes as the decoder meets them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

import numpy as np

from twofold.errors import UserError
from twofold.videos.colour import ToRGB
from twofold.videos.container import av, failures, opened
from twofold.videos.orientation import Orientation, display_matrix, orientation_of

WITHOUT = 64  # frames that are not key and have no vectors, after which a file is known to export none
LOOKED_AT = 250  # frames of which `still_share` looks at the vectors
ROW = np.dtype(
    [
        ("source", "i4"),
        ("w", "u1"),
        ("h", "u1"),
        ("src_x", "i2"),
        ("src_y", "i2"),
        ("dst_x", "i2"),
        ("dst_y", "i2"),
        ("flags", "u8"),
        ("motion_x", "i4"),
        ("motion_y", "i4"),
        ("motion_scale", "u2"),
    ],
    align=True,
)  # AVMotionVector
EMPTY = np.zeros(0, ROW)


@dataclass(frozen=True)
class MotionFrame:
    """One frame in the order of showing.

    number: from 0. time: seconds by its stamp, or None. key: whether it is a keyframe, which has no vectors. height,
    width: stored pixels. orientation: how it is turned to be shown (`Orientation.vectors` turns grids). interlaced: its
    vectors mix two times. rows: FFmpeg's vectors, a structured array (source, w, h, src_x, src_y, dst_x, dst_y,
    motion_x, motion_y, motion_scale); a block's centre is dst, its content comes from src. picture: of keyframes, where
    they are asked for, uint8 (H, W, 3), as shown.
    """

    number: int
    time: float | None
    key: bool
    height: int
    width: int
    orientation: Orientation
    interlaced: bool
    rows: np.ndarray
    picture: np.ndarray | None = None


@dataclass(frozen=True)
class Keyframe:
    """number: among the keyframes, from 0. time: seconds by its stamp, or None. picture: uint8 (H, W, 3), as shown."""

    number: int
    time: float | None
    picture: np.ndarray


def motion_vectors(file: str | BinaryIO, *, pictures: bool = False) -> Iterator[MotionFrame]:
    """Every frame of a video with its motion vectors, in one decode by one thread: with several, vectors are wrong.
    pictures: with the pictures of keyframes.

    Vectors are in H.264, MPEG-4 part 2 and MPEG-2. Whether a file has some is told by its frames, not by its codec.
    Raises UserError where none but keyframes come, or frames without vectors; DecodeError where it cannot be opened.
    """
    bare = with_vectors = number = 0
    to_rgb = ToRGB() if pictures else None
    with opened(file) as (container, stream, _):
        codec = stream.codec_context
        codec.flags2 |= av().codec.context.Flags2.export_mvs
        # Vectors do not depend on the deblocking filter, which takes up to a quarter of the time.
        codec.options = {**codec.options, "skip_loop_filter": "nokey"}
        for frame in _decoded(container, stream):
            found = frame.side_data.get("MOTION_VECTORS")
            rows = EMPTY if found is None else found.to_ndarray()
            key = bool(frame.key_frame)
            bare += not key and found is None
            with_vectors += found is not None
            if bare > WITHOUT and not with_vectors:
                break
            turn = orientation_of(display_matrix(frame))
            size, picture = (frame.height, frame.width), None
            if to_rgb and key:
                picture = turn.pictures(to_rgb(frame, *size))
            yield MotionFrame(number, frame.time, key, *size, turn, frame.interlaced_frame, rows, picture)
            number += 1
        if not with_vectors:
            name = codec.name
            why = "holds keyframes alone" if not bare else f"is {name}, of which the decoder tells no motion vectors"
            raise UserError(
                f"{file if isinstance(file, str) else 'The video'} {why}: turn it into H.264 first, with "
                "ffmpeg -i IN -c:v libx264 -bf 0 -refs 1 -g 12 OUT.mp4."
            )


def past(rows: np.ndarray) -> np.ndarray:
    """One vector a block, from the frame before: those of list 0, and, of blocks that have one from the future alone,
    its negative."""
    if not len(rows) or (rows["source"] < 0).all():
        return rows
    before, after = rows[rows["source"] < 0], rows[rows["source"] >= 0].copy()
    place = [r["dst_y"].astype(np.int64) << 16 | r["dst_x"].astype(np.int64) for r in (before, after)]
    after = after[~np.isin(place[1], place[0])]
    for axis in "xy":
        after[f"src_{axis}"] = 2 * after[f"dst_{axis}"] - after[f"src_{axis}"]
        after[f"motion_{axis}"] = -after[f"motion_{axis}"]
    after["source"] = -1
    return np.concatenate([before, after])


def keyframes(file: str | BinaryIO) -> Iterator[Keyframe]:
    """The keyframes of a video; the frames between them are not decoded."""
    to_rgb = ToRGB()
    with opened(file) as (container, stream, _):
        stream.codec_context.skip_frame = "NONKEY"
        for number, frame in enumerate(_decoded(container, stream)):
            turn = orientation_of(display_matrix(frame))
            yield Keyframe(number, frame.time, turn.pictures(to_rgb(frame, frame.height, frame.width)))


def still_share(file: str | BinaryIO) -> float:
    """The share of frames, of the first 250 between keyframes, in which nothing moves: repeated frames, mostly."""
    frames = (frame for frame in islice(motion_vectors(file), LOOKED_AT) if not frame.key)
    still = [not (frame.rows["motion_x"].any() or frame.rows["motion_y"].any()) for frame in frames]
    return float(np.mean(still)) if still else 0.0


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """The frames of a stream, over damaged packets and up to where the file breaks off."""
    packets, failing = container.demux(stream), failures()
    while True:
        try:
            packet = next(packets, None)
        except failing:
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except failing:
            continue
