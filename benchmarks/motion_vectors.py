"""Frames a CPU-second of motion vectors beside plain decoding, in alternation: `motion_vectors.py VIDEO...`.

Each video is brought to four sizes by PyAV (libx264, preset medium, crf 23), once as found on the web (250 frames from
keyframe to keyframe, 3 B-frames) and once for motion (12 frames, no B-frames, one reference), 240 frames at most. Then
four jobs take turns, three times: decoding alone; vectors as arrays; with them RGB of the keyframes; and all of that
painted on grids, 16 frames at one go. Time is that of the process (one thread). Writes
benchmarks/results/motion_vectors.json.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path

from twofold.videos.container import av, opened
from twofold.videos.motion import motion_vectors, paint_grids

SIZES = [(340, 256), (854, 480), (1280, 720), (1920, 1080)]
KINDS = {"web": {}, "P12": {"bf": "0", "g": "12", "sc_threshold": "0", "refs": "1"}}
FRAMES, ROUNDS = 240, 3
GROUP = 16  # frames painted at one go


def encode(source: str, out: str, size: tuple[int, int], options: dict[str, str]) -> int:
    """The first frames of a video in another size; how many there were."""
    count = 0
    with av().open(out, "w") as container, opened(source) as (film, stream, _):
        made = container.add_stream("libx264", rate=25, options={"crf": "23", **options})
        made.width, made.height, made.pix_fmt = *size, "yuv420p"
        for frame in islice(film.decode(stream), FRAMES):
            small = frame.reformat(width=size[0], height=size[1], format="yuv420p")
            small.pts, small.time_base = count, Fraction(1, 25)
            container.mux(made.encode(small))
            count += 1
        container.mux(made.encode())
    return count


def decode(file: str) -> None:
    with opened(file) as (container, stream, _):
        for _frame in container.decode(stream):
            pass


def vectors(file: str) -> None:
    for _frame in motion_vectors(file):
        pass


def keyframes(file: str) -> None:
    for _frame in motion_vectors(file, pictures=True):
        pass


def painted(file: str) -> None:
    frames = (frame for frame in motion_vectors(file, pictures=True) if not frame.key)
    while group := list(islice(frames, GROUP)):
        paint_grids([frame.rows for frame in group], group[0].height, group[0].width)


JOBS: dict[str, Callable[[str], None]] = {
    "decoding": decode, "vectors": vectors, "with keyframes": keyframes, "and painted": painted,
}  # fmt: skip


def main(videos: list[str]) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            for kind, options in KINDS.items():
                rates: dict[str, list[float]] = {name: [] for name in JOBS}
                for number, video in enumerate(videos):
                    file = str(Path(folder) / f"{number}.mp4")
                    count = encode(video, file, size, options)
                    spent: dict[str, list[float]] = {name: [] for name in JOBS}
                    for _ in range(ROUNDS):
                        for name, job in JOBS.items():
                            began = time.process_time()
                            job(file)
                            spent[name].append(time.process_time() - began)
                    for name in JOBS:
                        rates[name].append(count / statistics.median(spent[name]))
                row = {"size": f"{size[0]}x{size[1]}", "kind": kind}
                row |= {name: round(statistics.median(found)) for name, found in rates.items()}
                shares = [p / d for p, d in zip(rates["and painted"], rates["decoding"], strict=True)]
                row["painted over decoding"] = round(statistics.median(shares), 3)
                rows.append(row)
                print(row, flush=True)
    out = Path(__file__).parent / "results" / "motion_vectors.json"
    about = {"videos": [Path(v).name for v in videos], "unit": "frames a CPU-second, one thread, median over videos"}
    out.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
