"""16-frame clips at random from videos, in CPU milliseconds a clip, beside other readers, in alternation:
`python benchmarks/video_reading.py VIDEO... [--peer opencv=PYTHON] [--peer torchcodec=PYTHON] [--peer decord=PYTHON]`,
where PYTHON is an interpreter with that package.

Each video is brought to 340 x 256 (libx264, crf 23), once as found on the web (250 frames from keyframe to keyframe, 3
B-frames) and once with 12 frames and none. 32 clips a video, stride 1 and 4, shrunk to a short side of 112. Each reader
opens the file for every clip, or keeps it open; ours also reads what it has prepared (171 x 128, JPEG of quality 90).
Readers are processes (`video_readers.py`) that take turns at each clip; the first clip of each file does not count.
Writes benchmarks/results/video_reading.json.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from motion_vectors import KINDS, encode

CLIPS, FRAMES = 32, 16
READERS = Path(__file__).with_name("video_readers.py")


class Reader:
    """A reader in a process of its own."""

    def __init__(self, python: str, name: str) -> None:
        self.name = name
        command = [python, str(READERS), name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self, file: str, numbers: list[int]) -> float:
        """CPU milliseconds."""
        assert self.process.stdin and self.process.stdout
        print(json.dumps([file, numbers]), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} ended.")
        return float(answer)


def measured(readers: list[Reader], files: list[str], lengths: list[int], stride: int) -> dict[str, float]:
    """The median of each reader."""
    spent: dict[str, list[float]] = {reader.name: [] for reader in readers}
    drawn = random.Random(0)
    for turn in range(CLIPS + 1):
        for file, length in zip(files, lengths, strict=True):
            start = drawn.randrange(length - (FRAMES - 1) * stride)
            numbers = [start + stride * i for i in range(FRAMES)]
            for reader in drawn.sample(readers, len(readers)):
                took = reader.read(file, numbers)
                if turn:
                    spent[reader.name].append(took)
    return {name: round(statistics.median(found), 1) for name, found in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    asked = parser.parse_args()
    pythons = {"twofold": sys.executable, **dict(peer.split("=", 1) for peer in asked.peer)}
    readers = [Reader(at, f"{name}, {how}") for name, at in pythons.items() for how in ("opened", "kept open")]
    readers.append(Reader(sys.executable, "twofold, prepared"))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, options in KINDS.items():
            files = [str(Path(folder) / f"{kind}{i}.mp4") for i in range(len(asked.videos))]
            lengths = [
                encode(video, file, (340, 256), options) for video, file in zip(asked.videos, files, strict=True)
            ]
            for stride in (1, 4):
                rows.append({"kind": kind, "stride": stride} | measured(readers, files, lengths, stride))
                print(rows[-1], flush=True)
    out = Path(__file__).parent / "results" / "video_reading.json"
    names = [Path(video).name for video in asked.videos]
    about = {"videos": names, "unit": "CPU ms a clip of 16 frames, short side 112, median"}
    out.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
