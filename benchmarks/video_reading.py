"""16-frame clips at random from videos, in CPU milliseconds a clip, beside other readers where they are installed, in
alternation: `python benchmarks/video_reading.py VIDEO...`.

Each video is brought to 340 x 256 (libx264, crf 23), once as found on the web (250 frames from keyframe to keyframe, 3
B-frames) and once with 12 frames and none. 32 clips a video, stride 1 and 4, shrunk to a short side of 112. Each reader
opens the file for every clip; ours also keeps it open, and reads what it has prepared (171 x 128, JPEG of quality 90).
Writes benchmarks/results/video_reading.json.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
from motion_vectors import KINDS, encode

from twofold.videos.reading.packed import PackedVideo
from twofold.videos.reading.packing import write_packed
from twofold.videos.reading.video import Video

CLIPS, FRAMES, SIDE, PREPARED = 32, 16, 112, 128


def ours(file: str, numbers: list[int]) -> None:
    video = Video(file)
    video.read(numbers, SIDE)
    video.close()


@cache
def open_video(file: str) -> Video:
    return Video(file)


def with_table(file: str, numbers: list[int]) -> None:
    video = Video(file, open_video(file).table)
    video.read(numbers, SIDE)
    video.close()


def kept(file: str, numbers: list[int]) -> None:
    open_video(file).read(numbers, SIDE)


@cache
def prepared_video(file: str) -> PackedVideo:
    target = Path(file).with_suffix(".frames")
    write_packed(target, Video(file), short_side=PREPARED, quality=90, key="")
    return PackedVideo(partial(open, target, "rb"))


def prepared(file: str, numbers: list[int]) -> None:
    """Pictures of 171 x 128, as prepared for views of 112, kept open."""
    prepared_video(file).read(numbers)


def opencv(file: str, numbers: list[int]) -> None:
    import cv2

    cv2.setNumThreads(1)
    capture = cv2.VideoCapture(file)
    capture.set(cv2.CAP_PROP_POS_FRAMES, numbers[0])
    for number in range(numbers[0], numbers[-1] + 1):
        capture.grab()
        found, picture = capture.retrieve() if number in numbers else (False, None)
        if found:
            cv2.resize(picture, (149, SIDE), interpolation=cv2.INTER_AREA)


def torchcodec(file: str, numbers: list[int]) -> None:
    from torchcodec.decoders import VideoDecoder
    from torchvision.transforms.v2.functional import resize

    frames = VideoDecoder(file, num_ffmpeg_threads=1).get_frames_at(numbers).data
    resize(frames, [SIDE], antialias=True)


def decord(file: str, numbers: list[int]) -> None:
    from decord import VideoReader

    VideoReader(file, width=149, height=SIDE, num_threads=1).get_batch(np.array(numbers))


READERS: dict[str, Callable[[str, list[int]], None]] = {
    "twofold": ours, "twofold, table known": with_table, "twofold, kept open": kept, "twofold, prepared": prepared,
    "opencv": opencv, "torchcodec": torchcodec, "decord": decord,
}  # fmt: skip


def main(videos: list[str]) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, options in KINDS.items():
            files = [str(Path(folder) / f"{kind}{i}.mp4") for i in range(len(videos))]
            lengths = [encode(video, file, (340, 256), options) for video, file in zip(videos, files, strict=True)]
            for stride in (1, 4):
                spent: dict[str, list[float]] = {}
                drawn = random.Random(0)
                for _ in range(CLIPS):
                    for file, length in zip(files, lengths, strict=True):
                        start = drawn.randrange(length - (FRAMES - 1) * stride)
                        numbers = [start + stride * i for i in range(FRAMES)]
                        for name, reader in READERS.items():
                            began = time.process_time()
                            try:
                                reader(file, numbers)
                            except ImportError:
                                continue
                            spent.setdefault(name, []).append(1000 * (time.process_time() - began))
                row = {"kind": kind, "stride": stride}
                rows.append(row | {name: round(statistics.median(found), 1) for name, found in spent.items()})
                print(rows[-1], flush=True)
    out = Path(__file__).parent / "results" / "video_reading.json"
    about = {"videos": [Path(v).name for v in videos], "unit": "CPU ms a clip of 16 frames, short side 112, median"}
    out.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
