"""What all runs of a comparison have in common: the data, and settings that no recipe may decide alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from twofold.errors import UserError
from twofold.images.backbones import build_backbone
from twofold.images.jobs.comparison.entries import Entry
from twofold.images.jobs.pretrain import make_plan
from twofold.images.jobs.settle import data_name, settle
from twofold.images.reading import Source, open_source
from twofold.training.distribution import choose_precision

EPOCHS = 100
ALIKE = ("backbone", "stem", "batch_size", "image_size", "recipe")
GIVEN = ("data", "test", "epochs", "steps", "minutes", "recipe_of", "image_column", "label_column")


@dataclass(frozen=True)
class Shared:
    """training: what `pretrain` is given for every run. settings: what goes into compare.yaml."""

    training: dict[str, Any]
    settings: dict[str, Any]
    images: int
    steps_per_epoch: int
    labelled: bool

    @property
    def statistics(self) -> str:
        """The normalisation of the supervised network's input."""
        small = self.training["recipe"] == "cifar" and self.training["image_size"] == 32
        return "cifar10" if small else "imagenet"


def share(entries: list[Entry], given: Mapping[str, Any], defaults: Mapping[str, Any], measured: bool) -> Shared:
    """Look at the data and settle what is the same for all; what is left at auto goes by the first method.

    defaults: of `pretrain`. measured: whether protocols that need labels were asked for. Raises UserError where a
    method cannot be trained so, or the labels do not suffice.
    """
    columns = {name: given[name] for name in ("image_column", "label_column")}
    source = open_source(given["data"], **columns)
    labelled = _labelled(source, given, measured)
    prints = [source.fingerprint()]
    if given["test"]:
        test = open_source(given["test"], **columns)
        if _classes(test) == 0:
            raise UserError(f"{given['test']} has no labels; images to be asked about need some.")
        prints.append(test.fingerprint())
    budget = {key: given[key] for key in ("epochs", "steps")}
    if not any((given["epochs"], given["steps"], given["minutes"])):
        budget["epochs"] = EPOCHS
    taken = ("recipe", "backbone", "stem", "batch_size", "image_size", "precision", "workers", "memory_gb")
    training = {**defaults, **columns, **{name: given[name] for name in taken}, **budget}
    # One process on one device for each run: several would be started for each of them anew.
    training |= {"data": str(given["data"]), "val": given["test"], "devices": 1, "report": False, "quiet": True}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    training["precision"] = choose_precision(given["precision"], device)
    for index, entry in enumerate(entries):
        # An unknown number of steps is settled later; one is enough to see that the rest fits.
        steps = {"steps": 1} if given["minutes"] else {}
        settled = settle({**training, **steps, "method": entry.name}, entry.composition, source, device.type == "cuda")
        length = make_plan(settled).length(len(source))
        if index == 0:
            training |= {name: settled[name] for name in ALIKE}
            build_backbone(training["backbone"], image_size=training["image_size"], stem=training["stem"])
    settings = {
        **{name: given[name] for name in GIVEN},
        **budget,
        **{name: training[name] for name in (*ALIKE, "precision")},
        "fingerprint": " ".join(prints),
    }
    return Shared(training, settings, len(source), length.steps_per_epoch, labelled)


def default_out(data: str) -> str:
    """runs/compare-DATA, with the data's last name."""
    return f"runs/compare-{data_name(data)}"


def _labelled(source: Source, given: Mapping[str, Any], measured: bool) -> bool:
    classes = _classes(source)
    if classes == 0 and given["test"]:
        raise UserError(f"{given['data']} has no labels to learn from, so --test cannot be asked about: leave it out.")
    if classes == 1 and measured:
        raise UserError(
            f"{given['data']} has one class only, and to be told apart images need two: mend the labels, or compare "
            f"without them by --protocols none."
        )
    return classes > 1


def _classes(source: Source) -> int:
    return 0 if source.labels is None else len(np.unique(np.asarray(source.labels)[np.asarray(source.labels) >= 0]))
