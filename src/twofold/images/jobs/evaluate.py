"""`evaluate`: protocols over features or over the network, each beside its floors, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from twofold.errors import UserError, nearest
from twofold.evaluation.accuracy import first_answers, majority_class
from twofold.evaluation.knn import fitting_k, five_nn, knn_predict
from twofold.evaluation.linear import linear_probe
from twofold.files import write_json
from twofold.images.evaluation.features import InputSettings
from twofold.images.evaluation.finetune import finetune
from twofold.images.evaluation.floors import centred
from twofold.images.evaluation.overlap import overlap
from twofold.images.evaluation.sgd_linear import LINEAR_RECIPES, sgd_linear
from twofold.images.evaluation.splits import Split, few_labels, hold_out, labelled, numbered, remarks
from twofold.images.finetuning.presets import PROTOCOLS as TRAINED
from twofold.images.jobs.channels import only_rgb
from twofold.images.jobs.dense import measure_dense, shown
from twofold.images.jobs.dense_protocols import PROTOCOLS as ON_MAPS
from twofold.images.jobs.model import Model, as_trained, open_for, open_images, print_notes
from twofold.images.jobs.online import MAJORITY, PIXELS, UNTRAINED, Labelled
from twofold.images.jobs.task import Task
from twofold.images.options import Evaluate
from twofold.images.report.sections import SECTIONS
from twofold.launcher import first_process
from twofold.page import keep_results
from twofold.pixels.report.knn import SHARED
from twofold.pixels.report.results import table
from twofold.pixels.sharding import shard_named
from twofold.pixels.shared_features import begin_shard, features_folder, made_here, measured_together
from twofold.printable import say
from twofold.runs.outcome import trained_epochs
from twofold.runs.screen import progress_bar

OnFeatures = Callable[[Labelled, Labelled, int, int], dict[str, float]]


def _knn(bank: Labelled, asked: Labelled, classes: int, seed: int) -> dict[str, float]:
    predicted = knn_predict(asked[0], *bank, k=fitting_k(bank[1]))
    return first_answers(predicted[:, 0], asked[1])


def _five_nn(bank: Labelled, asked: Labelled, classes: int, seed: int) -> dict[str, float]:
    return first_answers(five_nn(asked[0], *bank), asked[1])


def _linear(bank: Labelled, asked: Labelled, classes: int, seed: int) -> dict[str, float]:
    return linear_probe(*bank, *asked, classes, seed)


ON_FEATURES: dict[str, OnFeatures] = {"knn": _knn, "5nn": _five_nn, "linear": _linear}
ON_NETWORK = (*(f"linear-{name}" for name in LINEAR_RECIPES), "finetune")


def run(model: str, data: str, options: Evaluate) -> list[dict[str, Any]]:
    """Measure, print the table, keep the results in the run folder; see `api.evaluate`. Returns the results."""
    protocols = protocols_named(options.protocols)
    if options.shard is not None:
        begin_shard(options.shard, protocols, ON_FEATURES)
        options = replace(options, quiet=options.quiet or not first_process())
    opened = open_for(model, options, seed=options.seed)
    rows = measure(opened, protocols, data, as_trained(options, opened))
    if rows and first_process():
        say(table(rows, shown))
        _keep(rows, opened, options.out)
    return rows


def protocols_named(text: str) -> list[str]:
    """The protocols of a list with commas. Raises UserError for an unknown one."""
    protocols = [name.strip() for name in text.split(",") if name.strip()]
    known = (*ON_FEATURES, *ON_NETWORK, *ON_MAPS, *TRAINED)
    for name in protocols:
        if name not in known:
            raise UserError(f'There is no protocol "{name}".{nearest(name, known)} Known: {", ".join(known)}.')
    return protocols


def measure(model: Model, protocols: list[str], data: str, options: Evaluate) -> list[dict[str, Any]]:
    """The results of a model, and of its floors, as evaluation.json keeps them."""
    on_maps = [name for name in protocols if name in ON_MAPS]
    by_training = [name for name in protocols if name in TRAINED]
    with_labels = [name for name in protocols if name not in (*ON_MAPS, *TRAINED)]
    if on_maps or by_training:
        only_rgb(model.pixels, f"Protocols on maps ({', '.join(on_maps + by_training)})")
    rows = _measure_with_labels(model, with_labels, data, options) if with_labels else []
    rows += measure_dense(model, on_maps, data, options)
    if by_training:
        from twofold.images.jobs.finetuning import measure_trained  # takes a second to import

        rows += measure_trained(model, by_training, data, options)
    return rows


def _measure_with_labels(model: Model, protocols: list[str], data: str, options: Evaluate) -> list[dict[str, Any]]:
    train, test, classes = open_splits(data, options, model.inputs)
    if not options.quiet:
        for part in dict.fromkeys((train.images.source, test.images.source)):
            print_notes(part)
        say(f"{model.name}: {len(train):,} images to learn from, {len(test):,} to test on, {classes} classes")
    with progress_bar("evaluating", options.quiet) as on_progress:
        task = Task(model, train, test, classes, options.seed, options.epochs, options.floors, on_progress)
        wanted = task.extractions() if set(protocols) & set(ON_FEATURES) else {}
        if options.shard is None:
            return _measured(task, protocols, made_here(wanted, on_progress), data, options)
    return measured_together(
        shard_named(options.shard),
        features_folder(model.run, data),
        wanted,
        lambda sides: _measured(task, protocols, sides, data, options),
        quiet=options.quiet,
    )


def _measured(
    task: Task, protocols: list[str], sides: dict[str, tuple[Labelled, Labelled]], data: str, options: Evaluate
) -> list[dict[str, Any]]:
    """The results of protocols by (features, labels) of each side, to learn from and to test on."""
    train, test = task.train, task.test
    rows = _on_features([name for name in protocols if name in ON_FEATURES], task, sides)
    rows += _on_network([name for name in protocols if name in ON_NETWORK], task)
    rows = _with_majority(rows, task) if task.floors else rows
    shared = overlap(train, test)
    if shared.count:
        say(shared.describe())
    for row in rows:
        row["data"], row["seed"] = options.test or data, options.seed
        row |= _circumstances(task, data, options, shared.count, row["protocol"])
        details = [task.details(row["protocol"]), f"{options.labels:.3g} of the labels" if options.labels < 1 else ""]
        row["settings"] = ", ".join(detail for detail in details if detail)
    return rows


def _circumstances(task: Task, data: str, options: Evaluate, shared: int, protocol: str) -> dict[str, Any]:
    """What beside the protocol makes a number another one; see `runs.results.Entry`."""
    model, inputs = task.model, task.model.inputs
    learned, asked = (split.images.source.fingerprint() for split in (task.train, task.test))
    conditions = {
        "learned from": data,
        "size": f"{inputs.size} px",
        "precision": inputs.precision,
        "epochs trained": trained_epochs(model.run) if model.run else None,
        "epochs of the protocol": options.epochs if protocol in ON_NETWORK else None,
        "labels": options.labels if options.labels < 1 else None,
        SHARED: shared or None,
    }
    return {
        "conditions": {name: value for name, value in conditions.items() if value is not None},
        "fingerprints": {"data": asked, "learned from": learned},
    }


def open_splits(data: str, options: Evaluate, inputs: InputSettings) -> tuple[Split, Split, int]:
    """(images to learn from, images to test on, classes). Raises UserError where the labels do not suffice."""
    size, device = inputs.size, inputs.device
    train = labelled(open_images(data, options, size, device, seed=options.seed))
    if options.test:
        asked = open_images(options.test, options, size, device, "test", seed=options.seed)
        test = labelled(asked, train.images.source.classes)
        notes = [*train.images.source.notes, *remarks(train.images.source, asked.source)]
        (train, test), classes = numbered(train, test)
    else:
        notes = list(train.images.source.notes)
        (whole,), classes = numbered(train)
        train, test = hold_out(whole, seed=options.seed)
    if len(train) == 0 or len(test) == 0:
        raise UserError(
            f"{data} leaves {len(train)} images to learn from and {len(test)} to test on: give more of them labels."
        )
    if len(train.labels.unique()) < 2:
        raise UserError(f"{data} has one class only; give images of at least two.")
    for note in () if options.quiet else notes:
        say(note)
    if options.labels < 1:
        train = few_labels(train, options.labels, options.seed)
    return train, test, classes


def _on_features(protocols: list[str], task: Task, sides: dict[str, tuple[Labelled, Labelled]]) -> list[dict[str, Any]]:
    if PIXELS in sides:
        (bank, bank_labels), (asked, asked_labels) = sides[PIXELS]
        bank, asked = centred(bank, asked)
        sides = {**sides, PIXELS: ((bank, bank_labels), (asked, asked_labels))}
    rows = []
    for protocol in protocols:
        for name, (bank_side, asked_side) in sides.items():
            found = ON_FEATURES[protocol](bank_side, asked_side, task.classes, task.seed)
            rows += _rows(protocol, name, found, name != task.name)
    return rows


def _on_network(protocols: list[str], task: Task) -> list[dict[str, Any]]:
    if not protocols:
        return []
    sides = {task.name: task.model.backbone} | ({UNTRAINED: task.untrained} if task.floors else {})
    settings: dict[str, Any] = {"seed": task.seed, "epochs": task.epochs, "on_progress": task.on_progress}
    rows = []
    for protocol in protocols:
        for name, backbone in sides.items():
            data = backbone, task.train, task.test, task.classes, task.model.inputs
            if protocol == "finetune":
                found = finetune(*data, **settings)
            else:
                found = sgd_linear(*data, recipe=LINEAR_RECIPES[protocol.removeprefix("linear-")], **settings)
            rows += _rows(protocol, name, found, name != task.name)
    return rows


def _with_majority(rows: list[dict[str, Any]], task: Task) -> list[dict[str, Any]]:
    """The rows, and after those of each protocol what the largest class alone would reach by the same metrics."""
    largest = majority_class(task.train.read_labels(), task.test.read_labels(), task.classes)
    out = []
    for protocol in dict.fromkeys(row["protocol"] for row in rows):
        own = [row for row in rows if row["protocol"] == protocol]
        metrics = {row["metric"] for row in own}
        out += [*own, *_rows(protocol, MAJORITY, {m: v for m, v in largest.items() if m in metrics}, True)]
    return out


def _rows(protocol: str, name: str, found: Mapping[str, float], floor: bool) -> list[dict[str, Any]]:
    return [
        {"protocol": protocol, "metric": metric, "name": name, "value": value, "floor": floor}
        for metric, value in found.items()
    ]


def _keep(rows: list[dict[str, Any]], model: Model, out: str | None) -> None:
    """Write the results where they were asked for, and then into the run folder, if there is one that can be written
    to."""
    if out:
        write_json(Path(out), rows)
    if model.run:
        keep_results(model.run, rows, SECTIONS)
