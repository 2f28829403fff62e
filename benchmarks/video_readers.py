"""One reader of clips in a process of its own: `python video_readers.py NAME`, for `video_reading.py`.

Takes lines of JSON, [file, frame numbers], and answers each with the CPU milliseconds it took, of all threads.
In processes of their own, libraries that carry an FFmpeg each do not meet.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

SIDE, WIDTH, PREPARED = 112, 149, 128

Reader = Callable[[str, list[int]], Any]


def twofold(file: str, numbers: list[int]) -> Any:
    from twofold.videos.reading.video import Video

    video = Video(file)
    frames = video.read(numbers, SIDE)
    video.close()
    return frames


@cache
def _kept_open(file: str) -> Any:
    from twofold.videos.reading.video import Video

    return Video(file)


def twofold_kept(file: str, numbers: list[int]) -> Any:
    return _kept_open(file).read(numbers, SIDE)


@cache
def _prepared(file: str) -> Any:
    from twofold.videos.reading.packed import PackedVideo
    from twofold.videos.reading.packing import write_packed

    target = Path(file).with_suffix(".frames")
    write_packed(target, _kept_open(file), short_side=PREPARED, quality=90, key="")
    return PackedVideo(partial(open, target, "rb"))


def twofold_prepared(file: str, numbers: list[int]) -> Any:
    """Pictures of 171 x 128, as prepared for views of 112."""
    return _prepared(file).read(numbers)


def _capture(file: str) -> Any:
    import cv2

    cv2.setNumThreads(1)
    return cv2.VideoCapture(file)


def _opencv(capture: Any, numbers: list[int]) -> Any:
    import cv2

    capture.set(cv2.CAP_PROP_POS_FRAMES, numbers[0])
    frames, wanted = [], set(numbers)
    for number in range(numbers[0], numbers[-1] + 1):
        capture.grab()
        if number in wanted:
            picture = cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB)
            frames.append(cv2.resize(picture, (WIDTH, SIDE), interpolation=cv2.INTER_AREA))
    return frames


def opencv(file: str, numbers: list[int]) -> Any:
    return _opencv(_capture(file), numbers)


_capture_kept = cache(_capture)


def opencv_kept(file: str, numbers: list[int]) -> Any:
    return _opencv(_capture_kept(file), numbers)


def _codec(mode: str, file: str) -> Any:
    import torch
    from torchcodec.decoders import VideoDecoder

    torch.set_num_threads(1)
    return VideoDecoder(file, num_ffmpeg_threads=1, seek_mode=mode)


def _shrunk(frames: Any) -> Any:
    """(T, 3, H, W) uint8 -> (T, 3, 112, 149)."""
    import torch

    return torch.nn.functional.interpolate(frames, (SIDE, WIDTH), mode="bilinear", antialias=True)


def torchcodec(file: str, numbers: list[int]) -> Any:
    return _shrunk(_codec("exact", file).get_frames_at(numbers).data)


_codec_kept = cache(_codec)


def torchcodec_kept(file: str, numbers: list[int]) -> Any:
    """With the seek mode that knows no table of frames, the fastest."""
    return _shrunk(_codec_kept("approximate", file).get_frames_at(numbers).data)


@cache
def _decord(file: str) -> Any:
    from decord import VideoReader

    return VideoReader(file, width=WIDTH, height=SIDE, num_threads=1)


def decord(file: str, numbers: list[int]) -> Any:
    return _decord.__wrapped__(file).get_batch(numbers).asnumpy()


def decord_kept(file: str, numbers: list[int]) -> Any:
    return _decord(file).get_batch(numbers).asnumpy()


READERS: dict[str, tuple[Reader, Reader]] = {
    "twofold": (twofold, twofold_kept),
    "opencv": (opencv, opencv_kept),
    "torchcodec": (torchcodec, torchcodec_kept),
    "decord": (decord, decord_kept),
}
NAMED: dict[str, Reader] = {"twofold, prepared": twofold_prepared}
for _name, (_opened, _kept) in READERS.items():
    NAMED |= {f"{_name}, opened": _opened, f"{_name}, kept open": _kept}


def main(name: str) -> None:
    reader = NAMED[name]
    for line in sys.stdin:
        file, numbers = json.loads(line)
        began = time.process_time()
        frames = reader(file, numbers)
        spent = 1000 * (time.process_time() - began)
        if len(frames) != len(numbers):
            raise SystemExit(f"{name} gave {len(frames)} of {len(numbers)} frames of {file}.")
        print(spent, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
