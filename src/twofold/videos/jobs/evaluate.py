"""`evaluate`: protocols over features of clips or over the network, each beside its floors, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from twofold.errors import UserError, clause, nearest
from twofold.evaluation.accuracy import first_answers, majority_class
from twofold.evaluation.knn import fitting_k, knn_predict
from twofold.evaluation.search import nearest_rows, retrieval
from twofold.files import write_arrays, write_json
from twofold.launcher import first_process
from twofold.page import keep_results
from twofold.pixels.report.results import table
from twofold.pixels.sharding import shard_named
from twofold.pixels.shared_features import begin_shard, features_folder, made_here, measured_together
from twofold.printable import say
from twofold.runs.outcome import trained_epochs
from twofold.runs.screen import progress_bar
from twofold.videos.backbones import Backbone
from twofold.videos.evaluation.background import KINDS, disturbed_features
from twofold.videos.evaluation.features import InputSettings
from twofold.videos.evaluation.finetune import OnlyLabels, finetune
from twofold.videos.evaluation.linear import linear_on_clips
from twofold.videos.evaluation.splits import Split, few_labels, hold_out, labelled, left_out, numbered, shared_sources
from twofold.videos.jobs.auxiliary import ForetoldMotion, long_enough
from twofold.videos.jobs.model import Model, clips_for, open_for, open_videos, print_notes
from twofold.videos.jobs.neighbours import NEAREST, Neighbours
from twofold.videos.jobs.online import FRAMES, MAJORITY, UNTRAINED
from twofold.videos.jobs.task import Task
from twofold.videos.options import Evaluate
from twofold.videos.report.retrieved import FILE
from twofold.videos.report.sections import SECTIONS

ON_FEATURES = ("retrieval", "knn", "linear")
PROTOCOLS = (*ON_FEATURES, "finetune", "background")
SHARED = "videos of shared sources"  # a condition of results

Labelled = tuple[Tensor, Tensor]  # features (n, clips, D) of videos, and their labels
Side = tuple[Tensor, Tensor]  # features of the videos to learn from and to test on


def run(model: str, data: str, options: Evaluate) -> list[dict[str, Any]]:
    """Measure, print the table, keep the results in the run folder; see `api.evaluate`. Returns the results."""
    protocols = protocols_named(options.protocols)
    if options.auxiliary and "finetune" not in protocols:
        raise UserError("--auxiliary is learned beside the labels of finetune: give --protocols finetune.")
    if options.shard is not None:
        begin_shard(options.shard, protocols, ON_FEATURES)
        options = replace(options, quiet=options.quiet or not first_process())
    opened = open_for(model, options)
    rows = measure(opened, protocols, data, options)
    if not rows or not first_process():
        return rows
    say(table(rows))
    if options.out:
        write_json(Path(options.out), rows)
    if opened.run:
        keep_results(opened.run, rows, SECTIONS)
    return rows


def protocols_named(text: str) -> list[str]:
    """The protocols of a list with commas. Raises UserError for an unknown one."""
    protocols = [name.strip() for name in text.split(",") if name.strip()]
    for name in protocols:
        if name not in PROTOCOLS:
            raise UserError(f'There is no protocol "{name}".{nearest(name, PROTOCOLS)} Known: {", ".join(PROTOCOLS)}.')
    return protocols


def measure(model: Model, protocols: list[str], data: str, options: Evaluate) -> list[dict[str, Any]]:
    """The results of a model, and of its floors, as evaluation.json keeps them."""
    train, test, classes = open_splits(data, options, model.inputs)
    if not options.quiet:
        say(f"{model.name}: {len(train):,} videos to learn from, {len(test):,} to test on, {classes} classes")
    shared, first = shared_sources(train, test)
    if shared:
        say(
            f"{shared:,} of the {len(test):,} videos to test on are of sources that are also learned from, or copies "
            f"(such as {first}): what they answer may be remembered, not recognised."
        )
    with progress_bar("evaluating", options.quiet) as on_progress:
        task = Task(model, train, test, classes, options, on_progress)
        wanted = task.extractions() if set(protocols) - {"finetune"} else {}
        if options.shard is None:
            return _measured(task, protocols, made_here(wanted, on_progress), data, shared)
    return measured_together(
        shard_named(options.shard),
        features_folder(model.run, data),
        wanted,
        lambda sides: _measured(task, protocols, sides, data, shared),
        quiet=options.quiet,
    )


def _measured(
    task: Task, protocols: list[str], labelled_sides: Mapping[str, tuple[Labelled, Labelled]], data: str, shared: int
) -> list[dict[str, Any]]:
    """The results of protocols by (features, labels) of each side, to learn from and to test on."""
    sides = {name: (bank, asked) for name, ((bank, _), (asked, _)) in labelled_sides.items()}
    if FRAMES in sides:
        bank, asked = sides[FRAMES]
        sides[FRAMES] = bank - bank.mean(0), asked - bank.mean(0)
    if "retrieval" in protocols and task.model.run:
        _keep_neighbours(task.model.run, task, sides[task.name])
    rows: list[dict[str, Any]] = []
    for protocol in protocols:
        found = _finetuned(task) if protocol == "finetune" else _on_features(protocol, task, sides)
        rows += _rows(protocol, task, found)
    for line in left_out(task.train, "to learn from") + left_out(task.test, "to test on"):
        say(line)
    circumstances = _circumstances(task, data, shared)
    return [{**row, **circumstances} for row in rows]


def open_splits(data: str, options: Evaluate, inputs: InputSettings) -> tuple[Split, Split, int]:
    """(videos to learn from, videos to test on, classes). Raises UserError where the labels do not suffice."""
    source = open_videos(data, options)
    train = labelled(clips_for(source, options, inputs, vectors=options.auxiliary is not None))
    sources = [source]
    if options.test or options.fold is not None:
        asked = open_videos(options.test or data, options, "test")
        test = labelled(clips_for(asked, options, inputs), source.classes)
        sources.append(asked)
    else:
        train, test = hold_out(train, options.seed)
    (train, test), classes = numbered(train, test)
    for one in () if options.quiet else sources:
        print_notes(one)
    if classes < 2:
        raise UserError(f"{data} has one class only; give videos of at least two.")
    return (few_labels(train, options.labels, options.seed) if options.labels < 1 else train), test, classes


def _on_features(protocol: str, task: Task, sides: Mapping[str, Side]) -> dict[str, dict[str, float]]:
    """The numbers of a protocol by name, floors among them."""
    train, test = (split.labels[split.readable()] for split in (task.train, task.test))
    found: dict[str, dict[str, float]] = {}
    for name, (bank, asked) in sides.items():
        if protocol == "retrieval":
            found[name] = _retrieval(task, asked.mean(1), bank.mean(1))
        elif protocol == "knn":
            predicted = knn_predict(asked.mean(1), bank.mean(1), train, k=fitting_k(train))
            found[name] = first_answers(predicted[:, 0], test)
        elif protocol == "linear":
            found[name] = linear_on_clips(
                bank, train, asked, test, task.classes, task.options.seed, task.options.average
            )
        elif name != FRAMES:
            backbone = task.model.backbone if name == task.name else task.untrained
            found[name] = _disturbed(task, backbone, bank.mean(1))
    if task.options.floors and protocol in ("knn", "linear"):
        largest = majority_class(train, test, task.classes)
        found[MAJORITY] = {metric: largest[metric] for metric in found[task.name] if metric in largest}
    return found


def _retrieval(task: Task, asked: Tensor, bank: Tensor) -> dict[str, float]:
    train, test = (split.labels[split.readable()] for split in (task.train, task.test))
    groups, own = _sources(task)
    return retrieval(asked, test, bank, train, query_groups=groups, gallery_groups=own)


def _sources(task: Task) -> tuple[Tensor | None, Tensor | None]:
    """Numbers of the sources of queries and of what may answer, where videos of its own are kept from each."""
    if task.options.same_source:
        return None, None
    numbers = {name: i for i, name in enumerate(sorted({*task.train.groups(), *task.test.groups()} - {""}))}
    asked, known = (
        torch.tensor([numbers.get(group, -1) for group in split.groups()])[split.readable()]
        for split in (task.test, task.train)
    )
    return asked, known


def _keep_neighbours(run: Path, task: Task, side: Side) -> None:
    """Put some queries with what was found nearest to them into the run folder, for its page."""
    bank, asked = (features.mean(1) for features in side)
    groups, own = _sources(task)
    rows, cosines = nearest_rows(asked, bank, NEAREST, query_groups=groups, gallery_groups=own)
    found = Neighbours(task.train, task.test, rows, cosines)
    try:
        write_arrays(run / FILE, found.arrays(task.model.inputs, task.options.test or "a part held out"))
    except OSError as error:
        say(f"The run folder does not keep the neighbours for its page ({clause(error)}).")


def _disturbed(task: Task, backbone: Backbone, bank: Tensor) -> dict[str, float]:
    """R@1 of queries whose background is disturbed, in a gallery as it is."""
    split, inputs = task.test, task.model.inputs
    keep, labels = split.readable(), task.train.labels[task.train.readable()]
    found = {}
    for kind in KINDS:
        rows = disturbed_features(backbone, split.clips, inputs, split.indices, kind, task.options.seed)
        found[f"R@1 {kind}"] = retrieval(rows[keep], split.labels[keep], bank, labels, at=(1,))["R@1"]
    return found


def _finetuned(task: Task) -> dict[str, dict[str, float]]:
    options, inputs, train = task.options, task.model.inputs, task.train
    auxiliary: Callable[[nn.Module], nn.Module] = OnlyLabels
    if options.auxiliary:
        auxiliary = partial(ForetoldMotion, inputs=inputs)
        train = long_enough(train, inputs, options.quiet)
    sides = {task.name: task.model.backbone} | ({UNTRAINED: task.untrained} if options.floors else {})
    return {
        name: finetune(
            backbone,
            train,
            task.classes,
            inputs,
            epochs=options.epochs,
            seed=options.seed,
            auxiliary=auxiliary,
            weight=options.auxiliary_weight,
            on_progress=task.on_progress,
        ).accuracies(task.test, inputs, options.average)
        for name, backbone in sides.items()
    }


def _rows(protocol: str, task: Task, found: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    options, inputs = task.options, task.model.inputs
    details = [inputs.describe()]
    if protocol == "knn":
        k = fitting_k(task.train.labels[task.train.readable()])
        details.insert(0, f"k {k}, T 0.1")
    if protocol == "retrieval" and not options.same_source:
        details.append("own source left out")
    if protocol in ("linear", "finetune"):
        details.append(f"mean of {options.average}")
    if protocol == "finetune" and options.auxiliary:
        details.append(f"{options.auxiliary}'s motion beside the labels, weight {options.auxiliary_weight:g}")
    if options.labels < 1:
        details.append(f"{options.labels:.3g} of the labels")
    shared = {"protocol": protocol, "settings": ", ".join(details), "seed": options.seed}
    return [
        {**shared, "metric": metric, "name": name, "value": value, "floor": name != task.name}
        for name, numbers in found.items()
        for metric, value in numbers.items()
    ]


def _circumstances(task: Task, data: str, shared: int) -> dict[str, Any]:
    """What beside the protocol makes a number another one; see `runs.results.Entry`."""
    model, options = task.model, task.options
    learned, asked = (split.clips.source.fingerprint() for split in (task.train, task.test))
    conditions = {
        "learned from": data,
        "size": f"{model.inputs.size} px",
        "precision": model.inputs.precision,
        "epochs trained": trained_epochs(model.run) if model.run else None,
        "epochs of the protocol": options.epochs,
        "labels": options.labels if options.labels < 1 else None,
        "fold": options.fold,
        SHARED: shared or None,
    }
    return {
        "data": options.test or data,
        "conditions": {name: value for name, value in conditions.items() if value is not None},
        "fingerprints": {"data": asked, "learned from": learned},
    }
