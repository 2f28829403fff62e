"""`evaluate`: protocols over features or over the network, each beside its floors, in one table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twofold.errors import UserError, nearest
from twofold.evaluation.knn import five_nn, knn_accuracy
from twofold.evaluation.linear import linear_probe
from twofold.images.backbones import Backbone
from twofold.images.evaluation.finetune import finetune
from twofold.images.evaluation.floors import centred, pixel_features, random_network
from twofold.images.evaluation.sgd_linear import LINEAR_RECIPES, sgd_linear
from twofold.images.evaluation.splits import Split, few_labels, hold_out, labelled
from twofold.images.jobs.model import Model, open_images, open_model
from twofold.images.jobs.online import PIXEL_SETTINGS, PIXEL_SIDE, Labelled
from twofold.images.jobs.watching import watching
from twofold.training.results import add_results

OnFeatures = Callable[[Labelled, Labelled, int, int], dict[str, float]]


def _knn(bank: Labelled, asked: Labelled, classes: int, seed: int) -> dict[str, float]:
    return {"top1": knn_accuracy(*asked, *bank, classes=classes)}


def _pixel_knn(bank: Labelled, asked: Labelled, classes: int) -> list[float]:
    return [knn_accuracy(*asked, *bank, k=k, temperature=t, classes=classes) for k, t in PIXEL_SETTINGS]


def _five_nn(bank: Labelled, asked: Labelled, classes: int, seed: int) -> dict[str, float]:
    return {"top1": (five_nn(asked[0], *bank) == asked[1]).double().mean().item()}


def _linear(bank: Labelled, asked: Labelled, classes: int, seed: int) -> dict[str, float]:
    return linear_probe(*bank, *asked, classes, seed)


ON_FEATURES: dict[str, OnFeatures] = {"knn": _knn, "5nn": _five_nn, "linear": _linear}
PIXELS = "raw pixels"
ON_NETWORK = (*(f"linear-{name}" for name in LINEAR_RECIPES), "finetune")
DETAILS = {
    "knn": "k 200, T 0.1",
    "5nn": "Euclidean, majority",
    "linear": "Adam on cached features, 500 epochs",
}


def run(given: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure, print the table, keep the results in the run folder; see `api.evaluate`. Returns the results."""
    protocols = [name.strip() for name in given["protocols"].split(",") if name.strip()]
    known = (*ON_FEATURES, *ON_NETWORK)
    for name in protocols:
        if name not in known:
            raise UserError(f'There is no protocol "{name}".{nearest(name, known)} Known: {", ".join(known)}.')
    model = open_model(
        given["model"],
        image_size=given["image_size"],
        precision=given["precision"],
        batch_size=given["batch_size"],
    )
    train, test, classes = _splits(given, model)
    if not given["quiet"]:
        print(f"{model.name}: {len(train):,} images to learn from, {len(test):,} asked about, {classes} classes")
    with watching("evaluating", given["quiet"]) as progress:
        rows = _on_features(protocols, model, train, test, classes, given, progress)
        rows += _on_network(protocols, model, train, test, classes, given, progress)
    for row in rows:
        row["data"], row["seed"] = given["test"] or given["data"], given["seed"]
        details = [
            DETAILS.get(row["protocol"]),
            f"{given['labels']:.3g} of the labels" if given["labels"] < 1 else None,
        ]
        row["settings"] = ", ".join(detail for detail in details if detail)
    print(table(rows))
    _keep(rows, model, given["out"])
    return rows


def _splits(given: Mapping[str, Any], model: Model) -> tuple[Split, Split, int]:
    size, device = model.inputs.size, model.inputs.device
    train = labelled(open_images(given["data"], given, size, device, seed=given["seed"]))
    names = train.images.source.classes
    if given["test"]:
        test = labelled(open_images(given["test"], given, size, device, seed=given["seed"]), names)
    else:
        train, test = hold_out(train, seed=given["seed"])
    classes = max(int(train.labels.max()), int(test.labels.max())) + 1
    if classes < 2 or len(test) == 0:
        raise UserError(f"{given['data']} has {classes} class and {len(test)} images to ask about: two is the least.")
    if given["labels"] < 1:
        train = few_labels(train, given["labels"], given["seed"])
    return train, test, classes


def _on_features(
    protocols: list[str],
    model: Model,
    train: Split,
    test: Split,
    classes: int,
    given: Mapping[str, Any],
    progress: Callable[[int, int], None],
) -> list[dict[str, Any]]:
    chosen = [name for name in protocols if name in ON_FEATURES]
    if not chosen:
        return []

    def features(backbone: Backbone) -> tuple[Labelled, Labelled]:
        return train.features(backbone, model.inputs, progress), test.features(backbone, model.inputs, progress)

    sides = {model.method or model.name: features(model.backbone)}
    if given["floors"]:
        side = min(PIXEL_SIDE, model.inputs.size)
        (bank, bank_labels), (asked, asked_labels) = pixel_features(train, side), pixel_features(test, side)
        bank, asked = centred(bank, asked)
        sides[PIXELS] = (bank, bank_labels), (asked, asked_labels)
        sides["untrained network"] = features(random_network(model.backbone, train, model.inputs, given["seed"]))
    rows = []
    for protocol in chosen:
        for i, (name, (bank_side, asked_side)) in enumerate(sides.items()):
            found = ON_FEATURES[protocol](bank_side, asked_side, classes, given["seed"])
            if protocol == "knn" and name == PIXELS:
                found = {"top1": max(_pixel_knn(bank_side, asked_side, classes))}
            rows += [_row(protocol, metric, name, value, i > 0) for metric, value in found.items()]
    return rows


def _on_network(
    protocols: list[str],
    model: Model,
    train: Split,
    test: Split,
    classes: int,
    given: Mapping[str, Any],
    progress: Callable[[int, int], None],
) -> list[dict[str, Any]]:
    chosen = [name for name in protocols if name in ON_NETWORK]
    if not chosen:
        return []
    sides = {model.method or model.name: model.backbone}
    if given["floors"]:
        sides["untrained network"] = random_network(model.backbone, train, model.inputs, given["seed"])
    rows = []
    for protocol in chosen:
        for i, (name, backbone) in enumerate(sides.items()):
            settings = {"seed": given["seed"], "epochs": given["epochs"], "progress": progress}
            if protocol == "finetune":
                found = finetune(backbone, train, test, classes, model.inputs, **settings)
            else:
                recipe = LINEAR_RECIPES[protocol.removeprefix("linear-")]
                found = sgd_linear(backbone, train, test, classes, model.inputs, recipe=recipe, **settings)
            rows += [_row(protocol, metric, name, value, i > 0) for metric, value in found.items()]
    return rows


def _row(protocol: str, metric: str, name: str, value: float, floor: bool) -> dict[str, Any]:
    return {"protocol": protocol, "metric": metric, "name": name, "value": value, "floor": floor}


def table(rows: list[dict[str, Any]]) -> str:
    """Results as text: a line a protocol and metric, a column a model, floors last."""
    names = list(dict.fromkeys(row["name"] for row in rows))
    values = {(row["protocol"], row["metric"], row["name"]): row["value"] for row in rows}
    lines = [["", *names]]
    for protocol, metric in dict.fromkeys((row["protocol"], row["metric"]) for row in rows):
        cells = [values.get((protocol, metric, name)) for name in names]
        lines.append([f"{protocol} {metric}", *("-" if cell is None else f"{cell:.1%}" for cell in cells)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(names) + 1)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def _keep(rows: list[dict[str, Any]], model: Model, out: str | None) -> None:
    if model.run:
        add_results(model.run, rows)
        try:
            from twofold.report import build

            build([model.run], model.run / "report.html")
        except UserError:
            pass
    if out:
        Path(out).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
