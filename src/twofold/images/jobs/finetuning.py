"""Detection and segmentation by training, in `evaluate`: the data, the starts compared, the rows of numbers."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from twofold.images.backbones import Backbone
from twofold.images.finetuning.bodies import Start, random_start, start_of, supervised_start
from twofold.images.finetuning.data import few
from twofold.images.finetuning.detection import DetectionTask
from twofold.images.finetuning.detectors import Input
from twofold.images.finetuning.presets import DETECTORS, changed, deviations, preset_named, resized
from twofold.images.finetuning.protocol import Measured, Situation, Task, measure
from twofold.images.finetuning.segmentation import ABSENT, SegmentationTask
from twofold.images.jobs.model import Model
from twofold.images.jobs.online import UNTRAINED
from twofold.images.labels.records import Labelled
from twofold.images.options import Evaluate
from twofold.printable import say
from twofold.runs.screen import OnProgress, progress_bar

FOLDER = "finetuning"
SECONDS = 30.0
QUICK, PAPERS = "quick", "resnet50"  # the preset that is nobody's, and the backbone of all others
SUPERVISED = "supervised"


def measure_trained(model: Model, protocols: Sequence[str], data: str, options: Evaluate) -> list[dict[str, Any]]:
    """The results of a model, of random weights and of supervised ones by these protocols, as evaluation.json has them.

    Every start is trained in the same way, with the same draws. What is finished, and a checkpoint of what is not, lies
    in the run folder, or beside --out: the same command goes on from there. Raises UserError where backbone, preset and
    labels do not go together, before anything is trained.
    """
    made = [_task(model, protocol, data, options) for protocol in protocols]
    for task, _ in made:
        for start in _starts(model, options):
            task.build(start)  # a backbone that does not do is refused now
    return [row for task, words in made for row in _rows(task, words, model, data, options)]


def _task(model: Model, protocol: str, data: str, options: Evaluate) -> tuple[Task, list[str]]:
    """A protocol on its data, and what is said of the two sets."""
    usual = preset_named(options.preset, protocol)
    preset = resized(changed(usual, iterations=options.iterations, batch=options.train_batch), options.image_size)
    train, test, words = _opened(protocol, data, options)
    if not options.quiet:
        for one in (train, test):
            say("\n".join([f"{one.name}: {len(one):,} labelled images for {protocol}", *one.findings]))
    given = Input(model.inputs.mean, model.inputs.std, model.inputs.precision)
    device = torch.device(model.inputs.device)
    situation = Situation(protocol, preset, usual, train, test, given, device, options.seed)
    if protocol in DETECTORS:
        return DetectionTask(situation, options.keep_empty), words
    return SegmentationTask(situation), words


def _opened(protocol: str, data: str, options: Evaluate) -> tuple[Labelled, Labelled, list[str]]:
    """(to learn from, to test on), with the labels that the protocol takes, and what is said of the two."""
    from twofold.images.labels.leaks import near_copies
    from twofold.images.labels.opening import open_pair

    want = "instances" if protocol == "mask-rcnn" else "boxes" if protocol in DETECTORS else "masks"
    settings = {**options.of_labels(), "image_column": options.image_column, "part": options.part, "seed": options.seed}
    train, test = open_pair(data, options.test, want=want, **settings)
    train = few(train, options.labels, options.seed)
    leak = near_copies(train, test)
    if not options.quiet:
        say(leak.sentence())
    said = f"{leak.copies:,} of {leak.test:,} test images have a near copy in training"
    return train, test, [said] if leak.copies else []


def _starts(model: Model, options: Evaluate) -> Iterator[Start]:
    yield start_of(model.backbone, model.method or model.name)
    if options.supervised_weights:
        yield supervised_start(model.backbone, SUPERVISED, options.supervised_weights)
    if options.floors:
        yield random_start(model.backbone, UNTRAINED, options.seed)


def _rows(task: Task, words: Sequence[str], model: Model, data: str, options: Evaluate) -> Iterator[dict[str, Any]]:
    protocol, folder = task.situation.protocol, _folder(model, options)
    for start in _starts(model, options):
        with _progress(f"{protocol}, {start.name}", options.quiet) as on_progress:
            found = measure(task, start, folder, on_progress)
        if not options.quiet:
            numbers = ", ".join(f"{metric} {value:.1%}" for metric, value in found.metrics.items())
            say(f"{protocol}, {start.name}: {numbers}")
        settings = ", ".join([*_words(task, start.backbone, options), *task.words(start), *found.notes, *words])
        yield from _rows_of(task, start, found, settings, data, options)


def _rows_of(
    task: Task, start: Start, found: Measured, settings: str, data: str, options: Evaluate
) -> Iterator[dict[str, Any]]:
    situation = task.situation
    shared = {
        "protocol": situation.protocol,
        "name": start.name,
        "floor": start.name == UNTRAINED,
        "data": options.test or data,
        "seed": options.seed,
        "settings": settings,
        "conditions": {
            "learned from": data,
            "precision": situation.given.precision,
            "preset": situation.usual.name,
            "iterations": situation.preset.iterations,
            **({"labels": options.labels} if options.labels < 1 else {}),
        },
        "fingerprints": {"data": situation.test.mark, "learned from": situation.train.mark},
    }
    for place, (metric, value) in enumerate(found.metrics.items()):
        by_class = {} if place else {"by_class": found.by_class}
        low = {"lower_is_better": True} if metric == ABSENT else {}
        yield {**shared, "metric": metric, "value": value, **low, **by_class}


def _words(task: Task, backbone: Backbone, options: Evaluate) -> list[str]:
    """The preset and what is not as in it, the training's length, few labels."""
    situation, preset = task.situation, task.situation.preset
    out = [f"preset {situation.usual.name}"]
    changes = deviations(preset, situation.usual)
    if situation.usual.name != QUICK:
        changes += [f"{backbone.name} instead of {PAPERS}"] if backbone.name != PAPERS else []
        changes += [f"stem {backbone.stem} instead of imagenet"] if backbone.stem in ("stl", "cifar") else []
    if changes:
        out.append(f"deviating from it: {'; '.join(changes)}")
    out.append(f"{preset.iterations:,} steps of {preset.batch} images, every batch full")
    out.append(f"SGD {preset.lr:g}, seed {situation.seed}")
    if options.labels < 1:
        out.append(f"{options.labels:.3g} of the labels")
    if situation.given.precision != "fp32":
        out.append(f"backbone in {situation.given.precision}")
    return out


@contextlib.contextmanager
def _progress(what: str, quiet: bool) -> Iterator[OnProgress]:
    """A bar on a terminal; elsewhere a line at once, then one every half a minute."""
    spoke = -math.inf

    def tell(done: int, total: int) -> None:
        nonlocal spoke
        bar(done, total)
        if plain and time.monotonic() - spoke >= SECONDS:
            spoke = time.monotonic()
            say(f"{what}: {done:,} of {total:,}")

    plain = not (quiet or sys.stdout.isatty())
    with progress_bar(what, quiet) as bar:
        yield tell


def _folder(model: Model, options: Evaluate) -> Path | None:
    """Where checkpoints and finished results lie."""
    if model.run:
        return model.run / FOLDER
    return Path(f"{options.out}.{FOLDER}") if options.out else None
