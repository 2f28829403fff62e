"""`compare` on images: what all runs share, how each is trained and measured, and the ceiling."""

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
from twofold.images.backbones import build_backbone
from twofold.images.dense.keypoints import ALPHA
from twofold.images.evaluation.floors import random_network
from twofold.images.evaluation.splits import Split, remarks
from twofold.images.evaluation.unlabelled import without_labels
from twofold.images.finetuning.presets import PROTOCOLS as TRAINED
from twofold.images.jobs import pretrain
from twofold.images.jobs.dense_protocols import PROTOCOLS as ON_MAPS
from twofold.images.jobs.evaluate import measure, protocols_named
from twofold.images.jobs.model import Model, open_data, open_images, open_model, read_alike
from twofold.images.jobs.online import UNTRAINED
from twofold.images.jobs.settle import settle
from twofold.images.jobs.supervised import Supervised
from twofold.images.options import Compare, Dense, Evaluate, Finetuning, Labels, Pretrain
from twofold.images.reading import Source
from twofold.images.report.sections import SECTIONS
from twofold.page import Sections
from twofold.pixels.backbones.loading import BACKBONE_FILE
from twofold.training.distribution import choose_precision
from twofold.training.settling import plan_of

WITHOUT_LABELS = ("instance retrieval", "effective rank")
EPOCHS = 100
MAIN = (
    "top1",
    "acc@1cell",
    "mIoU",
    "coco-AP",
    "coco-mask-AP",
    "mIoU matched",
    "CorLoc LOST",
    "CorLoc TokenCut",
    f"PCK@{ALPHA:g}",
)
DENSE = (*ON_MAPS, *TRAINED)  # protocols that need no classes of whole images
DENSE_OPTIONS = (*Labels.own_names(), *Dense.own_names(), *Finetuning.own_names())
ALIKE = ("backbone", "stem", "batch_size", "image_size", "recipe")
STORED = (
    "test", "epochs", "steps", "minutes", "recipe_of", "image_column", "label_column", "part", "class_level", "white",
    "fourth_channel", "channels", "black",
)  # fmt: skip


def run(entries: list[Entry], data: str, options: Compare) -> dict[str, Any]:
    """Train and measure what is missing; see `api.compare` and `comparison.compare`."""
    protocols = [] if options.protocols.strip() == "none" else protocols_named(options.protocols)
    return compare(entries, _bench(entries, data, options, protocols), data, options)


@dataclass
class ImageBench:
    """How the runs of a comparison on images are trained and measured. training, measuring: the same for all."""

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
            self.training,
            method_options=dict(entry.options),
            out=str(folder),
            log_every=log_every,
            knn_every=0,
            correspondence_every=0,
        )
        pretrain.run(entry.composition, self.data, limited(options, steps), alone=False)

    def is_trained(self, folder: Path) -> bool:
        """See `bench.Bench`."""
        return (folder / BACKBONE_FILE).is_file()

    def is_measured(self, folder: Path) -> bool:
        """See `bench.Bench`."""
        return not self.missing(folder)

    def missing(self, folder: Path) -> list[str]:
        """The protocols, those without labels included, that the run has not been measured by."""
        return missing(folder, (*self.protocols, *WITHOUT_LABELS))

    def measure(self, folder: Path, seed: int) -> None:
        """See `bench.Bench`."""
        wanted, options = self.missing(folder), replace(self.measuring, seed=seed)
        trust = self.training.backbone  # typed by the user, or some library's name
        model = open_model(str(folder), precision=options.precision, batch_size=options.batch_size, trust=trust)
        labelled = [name for name in wanted if name in self.protocols]
        rows = measure(model, labelled, self.data, options) if labelled else []
        if any(name in WITHOUT_LABELS for name in wanted):
            rows += _unlabelled(model, self.data, options)
        keep(folder, rows)

    def results(self, folder: Path) -> list[Result]:
        """See `bench.Bench`."""
        asked = (*self.protocols, *WITHOUT_LABELS)
        rows = [row for row in measured(folder) if row["protocol"] in asked]
        return [Result(_key(row), row["name"], row["value"], row["floor"]) for row in rows]

    def columns(self, keys: Sequence[str]) -> list[Column]:
        """See `bench.Bench`."""
        order = [*self.protocols, *WITHOUT_LABELS]
        return [
            Column(
                key,
                "number" if key == "effective rank" or key.endswith(" px") else "percent",
                key.endswith(MAIN) or key in WITHOUT_LABELS,
                floored=key != "effective rank" and not key.endswith(" px"),
            )
            for key in sorted(keys, key=lambda key: order.index(key if key in WITHOUT_LABELS else key.split()[0]))
        ]


def _bench(entries: list[Entry], data: str, options: Compare, protocols: list[str]) -> ImageBench:
    """Look at the data and settle what is the same for all; what is left at auto goes by the first method.

    Raises UserError where a method cannot be trained so, or the labels do not suffice.
    """
    source, test = _open(data, options), _open(options.test, options, "test") if options.test else None
    by_class = [name for name in protocols if name not in DENSE]
    labelled = _has_labels(source, data, options, bool(by_class), measured=bool(protocols))
    by_class = by_class if labelled else []
    protocols = [name for name in protocols if name in by_class or name in DENSE]
    sources = [source, *([test] if test is not None else [])]
    if by_class and test is not None and test.labels_among(source.classes or [])[0] is None:
        raise UserError(f"{options.test} has no labels; images to test on need some.")
    training, per_epoch = _shared(entries, source, data, options)
    measuring = read_alike(
        Evaluate(
            test=options.test,
            precision=training.precision,
            workers=options.workers,
            image_column=options.image_column,
            label_column=options.label_column,
            part=options.part,
            class_level=options.class_level,
            **{name: getattr(options, name) for name in DENSE_OPTIONS},
            quiet=True,
        ),
        source.pixels,
    )
    # None where an option is as usual, like one that an earlier version did not have.
    usual = options.usual()
    given = {name: getattr(options, name) for name in STORED}
    stored = {name: None if value == usual[name] else value for name, value in given.items()}
    stored |= {name: value for name in DENSE_OPTIONS if (value := getattr(options, name)) != usual[name]}
    alike = {name: getattr(training, name) for name in (*ALIKE, "precision", "epochs", "steps")}
    identity = {
        "fingerprint": " ".join(one.fingerprint() for one in sources),
        "stamp": " ".join(one.stamp() for one in sources),
    }
    settings = {"data": data, **stored, **alike, **identity}
    asked = f", asked about {options.test}" if options.test else ""
    size, batch = training.image_size, cast(int, training.batch_size)
    about = f"{len(source):,} images of {data}{asked}; {training.backbone}, {size} px, batch {batch}"
    ceiling = None
    if options.supervised and by_class:
        statistics = training.statistics
        out = Path(options.out) if options.out else default_folder(data)
        ceiling = Supervised(out, data, training, statistics, measuring)
    on_maps = any(name in DENSE for name in protocols)
    notes = [*source.pixel_notes, *_notes(bool(by_class), ceiling is not None, on_maps), *_guesses(source, test)]
    return ImageBench(data, training, measuring, protocols, settings, about, notes, batch, per_epoch, ceiling)


def _shared(entries: list[Entry], source: Source, data: str, options: Compare) -> tuple[Pretrain, int]:
    """(the options of every run, steps of an epoch)."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    no_budget = not any((options.epochs, options.steps, options.minutes))
    training = Pretrain(
        recipe=options.recipe,
        backbone=options.backbone,
        stem=options.stem,
        batch_size=options.batch_size,
        image_size=options.image_size,
        precision=choose_precision(options.precision, device),
        workers=options.workers,
        memory_gb=options.memory_gb,
        image_column=options.image_column,
        label_column=options.label_column,
        part=options.part,
        class_level=options.class_level,
        channels=options.channels,
        white=options.white,
        black=options.black,
        fourth_channel=options.fourth_channel,
        epochs=EPOCHS if no_budget else options.epochs,
        steps=options.steps,
        val=options.test,
        devices=1,  # several processes would be started for each run anew
        report=False,
        quiet=True,
    )
    per_epoch = 1
    for entry in entries:
        # An unknown number of steps is complete later; one is enough to see that the rest fits.
        asked = replace(training, steps=1) if options.minutes else training
        complete = settle(asked, entry.composition, source, data, device.type == "cuda")
        per_epoch = plan_of(complete, unit="images").length(len(source)).steps_per_epoch
        if entry is entries[0]:
            alike: dict[str, Any] = {name: getattr(complete, name) for name in (*ALIKE, "statistics")}
            training = replace(training, **alike)
            build_backbone(
                training.backbone,
                image_size=cast(int, training.image_size),
                stem=training.stem,
                channels=source.pixels.count,
            )
    return training, per_epoch


def _open(path: str, options: Compare, role: str = "train") -> Source:
    return open_data(path, options, role)


def _has_labels(source: Source, data: str, options: Compare, by_class: bool, *, measured: bool) -> bool:
    classes = source.class_count()
    if classes == 0 and options.test and (by_class or not measured):
        raise UserError(f"{data} has no labels to learn from, so --test cannot be used: leave it out.")
    if classes == 1 and by_class:
        raise UserError(
            f"{data} has one class only, and to be told apart images need two: mend the labels, or compare without "
            f"them by --protocols none."
        )
    return classes > 1


def _notes(labelled: bool, ceiling: bool, on_maps: bool) -> list[str]:
    if on_maps and not labelled:
        return ["Floors: what raw pixels, the same network with random weights and answers without any map give."]
    if not labelled:
        return [
            "Floor: what the same network with random weights gives.",
            "Compared without labels: by effective rank and instance retrieval.",
        ]
    notes = ["Floors: what raw pixels, the same network with random weights and the largest class alone give."]
    if ceiling:
        notes.append("Supervised: the same network trained with all labels for as many epochs, and its own classifier.")
    return notes


def _guesses(source: Source, test: Source | None) -> list[str]:
    """What was guessed about the data, as sentences."""
    return [f"{note}." for note in (*source.notes, *(remarks(source, test) if test is not None else ()))]


def _key(row: dict[str, Any]) -> str:
    protocol = str(row["protocol"])
    return protocol if protocol in WITHOUT_LABELS else f"{protocol} {row['metric']}"


def _unlabelled(model: Model, data: str, options: Evaluate) -> list[dict[str, Any]]:
    asked, seed, inputs = options.test or data, options.seed, model.inputs
    role = "test" if options.test else "train"
    images = open_images(asked, options, inputs.size, inputs.device, role, seed=seed)
    everything = Split(images, torch.arange(len(images)), torch.zeros(len(images), dtype=torch.int64))
    untrained = random_network(model.backbone, everything, inputs, seed)
    rows = []
    for name, backbone in ((model.method, model.backbone), (UNTRAINED, untrained)):
        found = without_labels(backbone, images, inputs, seed=seed)
        shared = {"metric": "features", "name": name, "floor": name == UNTRAINED, "data": asked, "seed": seed}
        rows += [{"protocol": protocol, **shared, "value": value, "settings": ""} for protocol, value in found.items()]
    return rows
