"""motion_capture_videos.py OUT: a labelled set of human actions, rendered from recorded motion.

The 15 motion-capture clips and the humanoid of the PyPI package pybullet are drawn by its software renderer before
procedural backgrounds, and written as H.264 (no B-frames, one reference, a keyframe every 12 frames) at 25 frames a
second. Viewpoint, size, colours of skin and clothes, background, playback rate, start phase and length are drawn from
--seed; the same seed gives the same files. Needs pybullet, av and numpy; --floors scikit-learn and Pillow as well.

OUT holds SPLIT/CLASS/NNN.mp4 and videos.csv. Files that are there already are kept, so an interrupted command goes on.
  --background uncorrelated   train and test: the background says nothing about the class.
  --background correlated     train: each class has a background of its own. test-same: it still has. test: each video
                              has the background of another class; all else is as in the file of that name in test-same.

What the set tests: whether a method learns motion rather than background. Splits differ in viewpoint (bands of 30
degrees in turn) and, where uncorrelated, in backgrounds; never in phase. There is ONE recording a class, in train and
in test alike, and one body: the set says nothing about generalisation over people or ways to move. The camera follows
the figure, which stays in the middle. Recordings shorter than the video repeat: those that are cycles go on, the others
start anew, with a cut.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, fields
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from motion_capture_backgrounds import KINDS, background
from motion_capture_stage import Camera, Stage, poses

CLASSES = "backflip cartwheel crawl dance_a dance_b getup_facedown getup_faceup jump kick punch roll run spin spinkick"
CLASSES = (*CLASSES.split(), "walk")
RATE, BAND = 25, 30  # frames a second; degrees


@dataclass(frozen=True)
class Recipe:
    """What a set is made from. Two sets of one recipe hold the same files, as far as both go."""

    background: str = "uncorrelated"
    moving: bool = False
    seed: int = 0
    width: int = 170
    height: int = 128
    seconds: tuple[float, float] = (2.0, 3.0)
    crf: int = 23
    classes: tuple[str, ...] = CLASSES


@dataclass(frozen=True)
class Video:
    """One video: where it lies, and all that was drawn for it.

    azimuth and elevation in degrees; size: height of the standing figure over that of the frame; rate: playback over
    recorded speed; phase: start, 0..1 of the recording; shift: background's left edge, pan: pixels it moves a frame.
    Colours are RRGGBB.
    """

    file: str
    label: str
    split: str
    source: str
    background: str
    azimuth: float
    elevation: float
    size: float
    rate: float
    phase: float
    frames: int
    skin: str
    shirt: str
    trousers: str
    shift: int
    pan: float


def generator(*keys: int | str) -> np.random.Generator:
    """Random numbers as a function of the keys."""
    digest = hashlib.blake2b("\x1f".join(map(str, keys)).encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def azimuth(draw: np.random.Generator, split: str) -> float:
    """A direction to look from: the even bands of BAND degrees belong to train, the odd ones to the tests."""
    band = 2 * int(draw.integers(180 // BAND)) + (split != "train")
    return round(float(BAND * (band + draw.uniform())), 1)


def own_background(label: str) -> str:
    """The background of a class in a correlated set: the kinds in turn, each a picture of its own."""
    place = CLASSES.index(label)
    return f"{list(KINDS)[place % len(KINDS)]}-of-{label}"


def chosen_background(recipe: Recipe, split: str, label: str, number: int) -> str:
    """The name of a video's background, which says how it is drawn."""
    draw = generator(recipe.seed, "background", split, label, number)
    if recipe.background == "uncorrelated":
        return f"{draw.choice(list(KINDS))}-{split}-{draw.integers(10**6):06d}"
    others = [c for c in recipe.classes if c != label]
    return own_background(str(draw.choice(others)) if split == "test" else label)


def colour(draw: np.random.Generator) -> str:
    """A light enough colour of clothes."""
    return "".join(f"{int(v):02x}" for v in draw.integers(50, 256, 3))


def drawn(recipe: Recipe, split: str, label: str, number: int) -> Video:
    """A video's draws. Those of test and test-same are the same but for the background."""
    draw = generator(recipe.seed, "video", "train" if split == "train" else "test", label, number)
    tone = draw.uniform(0.35, 1.0)
    low, high = recipe.seconds
    return Video(
        file=f"{split}/{label}/{number:03d}.mp4",
        label=label,
        split=split,
        source=f"humanoid3d_{label}.txt",
        background=chosen_background(recipe, split, label, number),
        azimuth=azimuth(draw, split),
        elevation=round(float(draw.uniform(-2, 25)), 1),
        size=round(float(draw.uniform(0.6, 0.8)), 3),
        rate=round(float(draw.uniform(0.8, 1.25)), 3),
        phase=round(float(draw.uniform()), 3),
        frames=int(draw.integers(round(low * RATE), round(high * RATE) + 1)),
        skin="".join(f"{int(v * tone):02x}" for v in (250, 205, 170)),
        shirt=colour(draw),
        trousers=colour(draw),
        shift=int(draw.integers(recipe.width // 2)),
        pan=round(float(draw.choice([-1, 1]) * draw.uniform(0.3, 1.5)), 2) if recipe.moving else 0.0,
    )


def splits(recipe: Recipe) -> tuple[str, ...]:
    """The folders of a set."""
    return ("train", "test") if recipe.background == "uncorrelated" else ("train", "test", "test-same")


def listing(recipe: Recipe, train: int, test: int) -> list[Video]:
    """All videos of a set, one of each class before the second of any."""
    counts = {split: train if split == "train" else test for split in splits(recipe)}
    numbers = product(range(max(train, test)), counts, recipe.classes)
    return [drawn(recipe, split, label, number) for number, split, label in numbers if number < counts[split]]


def window(wide: np.ndarray, video: Video, frame: int, width: int) -> np.ndarray:
    """The part of a background twice as wide as the frame that is seen in a frame; a pan goes on round its end."""
    left = video.shift + round(frame * video.pan)
    return np.take(wide, np.arange(left, left + width), axis=1, mode="wrap")


def film(stage: Stage, recipe: Recipe, video: Video) -> list[np.ndarray]:
    """All frames of a video, uint8 (height, width, 3)."""
    rows, cyclic = stage.clip(video.source)
    times = video.phase * rows[0, 0] * (len(rows) - 1) + np.arange(video.frames) / RATE * video.rate
    draw = generator(recipe.seed, "picture", video.background)
    wide = background(video.background, 2 * recipe.width, recipe.height, draw)
    stage.dress(video.skin, video.shirt, video.trousers)
    camera, pictures = Camera(video.azimuth, video.elevation, video.size), []
    for number, row in enumerate(poses(rows, cyclic, times)):
        stage.pose(row)
        figure, there = stage.frame(camera, recipe.width, recipe.height)
        pictures.append(np.where(there[..., None], figure, window(wide, video, number, recipe.width)))
    return pictures


def encode(pictures: list[np.ndarray], file: Path, crf: int) -> None:
    """Write frames as H.264: no B-frames, one reference, a keyframe every 12 frames; whole or not at all."""
    import av

    height, width = pictures[0].shape[:2]
    settings = {
        "crf": str(crf),
        "preset": "medium",
        "bf": "0",
        "refs": "1",
        "g": "12",
        "sc_threshold": "0",
        "threads": "1",
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.partial")
    with av.open(str(partial), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE, options=settings)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            # Left to encode(), the conversion now and then gave other bytes for the same pictures.
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    os.replace(partial, file)


@cache
def stage() -> Stage:
    """The stage of this process."""
    return Stage()


def make(task: tuple[Recipe, Video, Path]) -> str:
    """Render and write one video."""
    recipe, video, out = task
    encode(film(stage(), recipe, video), out / video.file, recipe.crf)
    return video.file


def write_listing(videos: list[Video], out: Path) -> None:
    """videos.csv of those that are there, in the order of the file names."""
    there = sorted((v for v in videos if (out / v.file).exists()), key=lambda v: v.file)
    with (out / "videos.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Video)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(v) for v in there)


def claim(recipe: Recipe, out: Path) -> None:
    """Write the recipe into the folder. Raises SystemExit where another recipe stands there."""
    out.mkdir(parents=True, exist_ok=True)
    file, text = out / "recipe.json", json.dumps(asdict(recipe), indent=1) + "\n"
    if file.exists() and file.read_text() != text:
        raise SystemExit(f"{out} holds a set of another recipe ({file}): give another folder.")
    file.write_text(text)


def render(recipe: Recipe, videos: list[Video], out: Path, workers: int) -> None:
    """Make what is missing, and say how far it is."""
    claim(recipe, out)
    missing = [v for v in videos if not (out / v.file).exists()]
    print(f"{len(missing)} of {len(videos)} videos to render", flush=True)
    began, done = time.monotonic(), 0
    with get_context("spawn").Pool(workers) as pool:
        for file in pool.imap(make, [(recipe, v, out) for v in missing]):
            done += 1
            if done % 25 == 0 or done == len(missing):
                print(f"{done}/{len(missing)} {file} {time.monotonic() - began:.0f} s", flush=True)
                write_listing(videos, out)
    write_listing(videos, out)


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--background", choices=["uncorrelated", "correlated"], default="uncorrelated")
    parser.add_argument("--moving", action="store_true", help="backgrounds pan by 0.3 to 1.5 pixels a frame")
    parser.add_argument("--per-class", type=int, nargs=2, default=[60, 20], metavar=("TRAIN", "TEST"))
    parser.add_argument("--classes", nargs="+", choices=CLASSES, default=list(CLASSES), metavar="CLASS")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--frame-size", type=int, nargs=2, default=[170, 128], metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--seconds", type=float, nargs=2, default=[2.0, 3.0], metavar=("LEAST", "MOST"))
    parser.add_argument("--crf", type=int, default=23, help="quality of H.264; more is smaller")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--floors", action="store_true", help="render nothing: what simple classifiers reach on OUT")
    args = parser.parse_args(arguments)
    if args.background == "correlated" and len(set(args.classes)) < 2:
        parser.error("--background correlated: backgrounds cannot be swapped among fewer than two classes.")
    if any(side % 2 for side in args.frame_size):
        parser.error("--frame-size: H.264 needs even numbers.")
    return args


def recipe_of(args: argparse.Namespace) -> Recipe:
    """The recipe that a command line asks for."""
    (width, height), seconds = args.frame_size, tuple(args.seconds)
    classes = tuple(c for c in CLASSES if c in args.classes)
    return Recipe(args.background, args.moving, args.seed, width, height, seconds, args.crf, classes)


def main() -> None:
    """Render a set, or print the floors of one."""
    args = parsed()
    if args.floors:
        from motion_capture_floors import report

        print(report(args.out))
        return
    recipe = recipe_of(args)
    render(recipe, listing(recipe, *args.per_class), args.out, args.workers)


if __name__ == "__main__":
    main()
