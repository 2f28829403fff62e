"""`compare` on videos: what all runs share, and how each is trained and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from twofold.comparison.bench import Ceiling, Column, Result
from twofold.comparison.budget import limited
from twofold.comparison.compare import compare
from twofold.comparison.entries import Entry
from twofold.comparison.folder import default_folder
from twofold.comparison.measured import keep, measured, missing
from twofold.errors import UserError
from twofold.page import Sections
from twofold.pixels.backbones.loading import BACKBONE_FILE
from twofold.training.settling import plan_of
from twofold.videos.backbones import build_backbone
from twofold.videos.jobs import pretrain
from twofold.videos.jobs.evaluate import measure, protocols_named
from twofold.videos.jobs.model import open_model, open_videos, precision_for
from twofold.videos.jobs.settle import settle
from twofold.videos.jobs.supervised import Supervised
from twofold.videos.options import Compare, Evaluate, Pretrain, Reading
from twofold.videos.reading.source import VideoSource
from twofold.videos.report.sections import SECTIONS
from twofold.videos.views import augmentation_named

EPOCHS = 100
MAIN = ("R@1", "top1", "mAP", "R@1 mixed", "R@1 swapped")
ALIKE = ("backbone", "stem", "batch_size", "image_size", "frames", "recipe")
READING = Reading.own_names()


def run(entries: list[Entry], data: str, options: Compare) -> dict[str, Any]:
    """Train and measure what is missing; see `api.compare` and `comparison.compare`."""
    return compare(entries, _bench(entries, data, options, protocols_named(options.protocols)), data, options)


@dataclass
class VideoBench:
    """How the runs of a comparison on videos are trained and measured. training, measuring: the same for all."""

    data: str
    training: Pretrain
    measuring: Evaluate
    protocols: Sequence[str]
    settings: Mapping[str, Any]
    about: str
    notes: Sequence[str]
    batch_size: int
    steps_per_epoch: int
    ceiling: Ceiling | None
    sections: Sections = SECTIONS

    def train(self, entry: Entry, seed: int, folder: Path, steps: int | None) -> None:
        """See `bench.Bench`."""
        options = replace(self.training, method_options=dict(entry.options), seed=seed, out=str(folder))
        pretrain.run(entry.composition, self.data, limited(options, steps), alone=False)

    def rehearse(self, entry: Entry, folder: Path, steps: int, log_every: int) -> None:
        """See `bench.Bench`."""
        options = replace(
            self.training, method_options=dict(entry.options), out=str(folder), log_every=log_every, knn_every=0
        )
        pretrain.run(entry.composition, self.data, limited(options, steps), alone=False)

    def is_trained(self, folder: Path) -> bool:
        """See `bench.Bench`."""
        return (folder / BACKBONE_FILE).is_file()

    def is_measured(self, folder: Path) -> bool:
        """See `bench.Bench`."""
        return not self.missing(folder)

    def missing(self, folder: Path) -> list[str]:
        """The protocols that the run has not been measured by."""
        return missing(folder, self.protocols)

    def measure(self, folder: Path, seed: int) -> None:
        """See `bench.Bench`."""
        options = replace(self.measuring, seed=seed)
        trust = self.training.backbone  # typed by the user, or some library's name
        model = open_model(
            str(folder), options, fps=options.fps, count=options.clips, precision=options.precision, trust=trust
        )
        rows = measure(model, self.missing(folder), self.data, options)
        keep(folder, rows)

    def results(self, folder: Path) -> list[Result]:
        """See `bench.Bench`."""
        rows = [row for row in measured(folder) if row["protocol"] in self.protocols]
        return [Result(_key(row), row["name"], row["value"], row["floor"]) for row in rows]

    def columns(self, keys: Sequence[str]) -> list[Column]:
        """See `bench.Bench`."""
        order = sorted(keys, key=lambda key: self.protocols.index(key.split()[0]))
        return [Column(key, "percent", key.split(maxsplit=1)[1] in MAIN) for key in order]


def _bench(entries: list[Entry], data: str, options: Compare, protocols: Sequence[str]) -> VideoBench:
    """Look at the data and settle what is the same for all; what is left at auto goes by the first method.

    Raises UserError where a method cannot be trained so, or the labels do not suffice.
    """
    source = open_videos(data, options)
    test = open_videos(options.test, options, "test") if options.test else None
    if source.class_count() < 2:
        raise UserError(f"{data} has no labels of two classes, which videos are compared by: give some.")
    training, stride, per_epoch = _shared(entries, source, data, options)
    reading = {name: getattr(options, name) for name in READING}
    measuring = Evaluate(
        test=options.test, precision=training.precision, clips=options.clips, stride=stride, quiet=True, **reading
    )
    alike = {name: getattr(training, name) for name in (*ALIKE, "precision", "epochs", "steps")} | {"stride": stride}
    given = {name: getattr(options, name) for name in ("test", "minutes", "recipe_of", "clips", *READING[:-1])}
    sources = [source, *([test] if test is not None else [])]
    identity = {
        "fingerprint": " ".join(one.fingerprint() for one in sources),
        "stamp": " ".join(one.stamp() for one in sources),
    }
    batch = cast(int, training.batch_size)
    shape = f"{training.frames} frames of {training.image_size} px"
    asked = f", asked about {options.test}" if options.test else ""
    about = f"{len(source):,} videos of {data}{asked}; {training.backbone}, {shape}, batch {batch}"
    notes = ["Floors: what raw frames, the same network with random weights and the largest class alone give."]
    ceiling = None
    if options.supervised:
        out = Path(options.out) if options.out else default_folder(data)
        ceiling = Supervised(out, data, training, measuring, protocols)
        notes.append(
            "Supervised: the same network trained with all labels for as many epochs, its own classifier, and for "
            "retrieval its features."
        )
    notes += [f"{note}." for one in sources for note in one.notes]
    settings = {"data": data, **given, **alike, **identity}
    return VideoBench(data, training, measuring, protocols, settings, about, notes, batch, per_epoch, ceiling)


def _shared(entries: list[Entry], source: VideoSource, data: str, options: Compare) -> tuple[Pretrain, int, int]:
    """(the options of every run, the stride of the clips on which all are measured, steps of an epoch)."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    no_budget = not any((options.epochs, options.steps, options.minutes))
    training = Pretrain(
        recipe=options.recipe,
        backbone=options.backbone,
        batch_size=options.batch_size,
        image_size=options.image_size,
        frames=options.frames,
        stride=options.stride,
        precision=precision_for(options.precision, device),
        epochs=EPOCHS if no_budget else options.epochs,
        steps=options.steps,
        devices=1,  # several processes would be started for each run anew
        report=False,
        quiet=True,
        **{name: getattr(options, name) for name in READING},
    )
    stride, per_epoch = 1, 1
    for entry in entries:
        # An unknown number of steps is complete later; one is enough to see that the rest fits.
        asked = replace(training, steps=1) if options.minutes else training
        complete = settle(asked, entry.composition, source, data, device.type == "cuda")
        per_epoch = plan_of(complete, unit="videos").length(len(source)).steps_per_epoch
        if entry is entries[0]:
            alike: dict[str, Any] = {name: getattr(complete, name) for name in ALIKE}
            training = replace(training, **alike)
            stride = options.stride or augmentation_named(complete.views).stride
            size, frames = cast(int, training.image_size), cast(int, training.frames)
            build_backbone(training.backbone, clip_size=size, frames=frames, stem=training.stem)
    return training, stride, per_epoch


def _key(row: dict[str, Any]) -> str:
    return f"{row['protocol']} {row['metric']}"
