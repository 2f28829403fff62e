"""One run of a comparison: trained as `pretrain` does, then measured as `evaluate` does, each once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from twofold.images.evaluation.floors import random_network
from twofold.images.evaluation.splits import Split
from twofold.images.evaluation.unlabelled import without_labels
from twofold.images.jobs import pretrain
from twofold.images.jobs.comparison.entries import Entry
from twofold.images.jobs.evaluate import UNTRAINED, measure
from twofold.images.jobs.model import BACKBONE_FILE, Model, open_images, open_model
from twofold.runs.results import add_results

WITHOUT_LABELS = ("instance retrieval", "effective rank")
PURPOSE = {"purpose": "compare"}


def train(entry: Entry, seed: int, training: Mapping[str, Any], folder: Path) -> None:
    """Train to the end of the plan, going on where the folder's run stopped."""
    given = {"method": entry.composition.name, "method_options": dict(entry.options), "seed": seed, "out": str(folder)}
    pretrain.run(entry.composition, {**training, **given})


def is_trained(folder: Path) -> bool:
    """Whether the run has come to its end."""
    return (folder / BACKBONE_FILE).is_file()


def measured(folder: Path) -> list[dict[str, Any]]:
    """The results that were measured for the comparison; other entries of evaluation.json are somebody else's."""
    try:
        entries = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return [entry for entry in entries if PURPOSE.items() <= entry.items()]


def missing(folder: Path, protocols: list[str]) -> list[str]:
    """The protocols, those without labels included, that the run has not been measured by."""
    known = {row["protocol"] for row in measured(folder)}
    return [name for name in (*protocols, *WITHOUT_LABELS) if name not in known]


def measure_missing(folder: Path, protocols: list[str], given: Mapping[str, Any]) -> None:
    """Measure a finished run, beside its floors, by what it lacks, and keep the results in its evaluation.json.

    given: what `api.evaluate` takes.
    """
    wanted = missing(folder, protocols)
    if not wanted:
        return
    model = open_model(str(folder), precision=given["precision"], batch_size=given["batch_size"])
    labelled = [name for name in wanted if name in protocols]
    rows = measure(model, labelled, given) if labelled else []
    if any(name in WITHOUT_LABELS for name in wanted):
        rows += _unlabelled(model, given)
    add_results(folder, [{**row, **PURPOSE} for row in rows])


def _unlabelled(model: Model, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    data, seed, inputs = given["test"] or given["data"], given["seed"], model.inputs
    images = open_images(data, given, inputs.size, inputs.device, seed=seed)
    everything = Split(images, torch.arange(len(images)), torch.zeros(len(images), dtype=torch.int64))
    untrained = random_network(model.backbone, everything, inputs, seed)
    rows = []
    for name, backbone in ((model.method, model.backbone), (UNTRAINED, untrained)):
        found = without_labels(backbone, images, inputs, seed=seed)
        shared = {"metric": "features", "name": name, "floor": name == UNTRAINED, "data": data, "seed": seed}
        rows += [{"protocol": protocol, **shared, "value": value, "settings": ""} for protocol, value in found.items()]
    return rows
