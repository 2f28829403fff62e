"""What classifiers that know nothing of motion, or little, reach on a set of motion_capture_videos.py."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SIDE, STACK = 16, 8
Feature = Callable[[np.ndarray], np.ndarray]


def read(file: Path) -> np.ndarray:
    """All frames of a video, shrunk by averaging: float32 (T, SIDE, SIDE, 3) in 0..1."""
    with av.open(str(file)) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    small = [np.asarray(f.resize((SIDE, SIDE), Image.Resampling.BOX)) for f in frames]
    return np.stack(small).astype(np.float32) / 255


def first_frame(frames: np.ndarray) -> np.ndarray:
    """The first frame: no motion at all."""
    return frames[0].ravel()


def mean_frame(frames: np.ndarray) -> np.ndarray:
    """The mean over time: mostly the background."""
    return frames.mean(0).ravel()


def stack(frames: np.ndarray) -> np.ndarray:
    """STACK frames, evenly spaced over the video."""
    return frames[np.linspace(0, len(frames) - 1, STACK).round().astype(int)].ravel()


def difference_statistics(frames: np.ndarray) -> np.ndarray:
    """Of |frame t+1 - frame t| on a grid of 4 x 4: mean, deviation and 90th percentile over time; 48 numbers."""
    change = np.abs(np.diff(frames, axis=0)).mean(-1)
    cells = change.reshape(-1, 4, SIDE // 4, 4, SIDE // 4).mean((2, 4)).reshape(-1, 16)
    return np.concatenate([cells.mean(0), cells.std(0), np.percentile(cells, 90, axis=0)])


def nearest(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The label of the nearest training row (Euclid) for each test row."""
    distance = (test**2).sum(1)[:, None] + (train**2).sum(1)[None] - 2 * test @ train.T
    return labels[distance.argmin(1)]


def logistic(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    """What logistic regression on standardised columns says (C = 1, the library's default)."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(train, labels).predict(test)


FLOORS = [
    ("nearest neighbour, first frame", first_frame, nearest),
    ("nearest neighbour, mean frame", mean_frame, nearest),
    (f"nearest neighbour, {STACK} frames", stack, nearest),
    ("logistic regression, frame differences", difference_statistics, logistic),
]


def report(out: Path) -> str:
    """A table of top-1 accuracy: a row a floor, a column a split beside train."""
    with (out / "videos.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    held = {s: [r for r in rows if r["split"] == s] for s in sorted({r["split"] for r in rows}, reverse=True)}
    videos = {split: [read(out / r["file"]) for r in listed] for split, listed in held.items()}
    labels = {split: np.array([r["label"] for r in listed]) for split, listed in held.items()}
    tests = [s for s in held if s != "train"]
    lines = ["| floor, 16 x 16 pixels | " + " | ".join(tests) + " |", "|---|" + "---|" * len(tests)]
    lines.append("| chance | " + " | ".join(f"{100 / len(set(labels[s])):.1f}" for s in tests) + " |")
    for name, feature, classify in FLOORS:
        known = np.stack([feature(v) for v in videos["train"]])
        said = [classify(known, labels["train"], np.stack([feature(v) for v in videos[s]])) for s in tests]
        scores = [100 * float((answer == labels[s]).mean()) for s, answer in zip(tests, said, strict=True)]
        lines.append(f"| {name} | " + " | ".join(f"{score:.1f}" for score in scores) + " |")
    counts = ", ".join(f"{split} {len(listed)}" for split, listed in held.items())
    return "\n".join([*lines, f"top-1 accuracy in %; videos: {counts}"])
