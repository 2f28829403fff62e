"""From what the user gave to the value of every setting: what is left at auto follows from the data and the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from twofold.catalog.composition import Composition
from twofold.errors import UserError
from twofold.images.reading import DecodeError, Source
from twofold.images.reading.decode import image_size

SIDES = (32, 48, 64, 96, 128, 160, 192, 224)
CPU_SIDE, SMALL_SIDE = 96, 64
EPOCHS = 200
LOOKED_AT = 64


def settle(given: Mapping[str, Any], composition: Composition, source: Source, gpu: bool) -> dict[str, Any]:
    """Every setting of `pretrain` with its value; the same keys as `given`.

    Raises UserError where the data cannot carry what was asked.
    """
    if len(source) < 2:
        raise UserError(f"{given['data']} holds {len(source)} image{'s' * (len(source) != 1)}; two is the least.")
    settled = dict(given)
    settled["data"] = str(given["data"])
    settled["out"] = given["out"] or default_out(given["method"], str(given["data"]))
    side = settled["image_size"] = given["image_size"] or fitting_side(source, gpu)
    name = given["recipe"] if given["recipe"] != "auto" else "cifar" if side <= SMALL_SIDE else "imagenet"
    recipe = composition.recipe(name)
    settled["recipe"] = name
    if given["backbone"] == "auto":
        settled["backbone"] = "resnet50" if gpu and side > CPU_SIDE else "resnet18"
    if given["views"] == "auto":
        settled["views"] = recipe.views
    if given["statistics"] == "auto":
        settled["statistics"] = "cifar10" if name == "cifar" and side == 32 else "imagenet"
    plan = recipe.plan
    settled["batch_size"] = given["batch_size"] or fitting_batch(len(source), plan["batch_size"] if gpu else 256)
    if given["epochs"] is None and given["steps"] is None:
        settled["epochs"] = EPOCHS
    if given["optimizer"] not in ("auto", plan["optimizer"]) and given["lr"] is None and given["base_lr"] is None:
        raise UserError(
            f"--optimizer {given['optimizer']} needs --lr or --base-lr: the recipe's rate is for {plan['optimizer']}."
        )
    if given["optimizer"] == "auto":
        settled["optimizer"] = plan["optimizer"]
    if given["lr"] is None and given["base_lr"] is None:
        settled["base_lr"] = plan["base_lr"]
    if given["weight_decay"] is None:
        settled["weight_decay"] = plan["weight_decay"]
    if given["schedule"] == "auto":
        settled["schedule"] = plan["schedule"]
    if given["scaling"] == "auto":
        settled["scaling"] = plan["scaling"]
    length = passes(settled, len(source))
    if settled["schedule"] == "step":
        if given["milestones"] is None:
            settled["milestones"] = [round(share * length) for share in plan.get("milestones", (0.6, 0.8))]
        if given["drop"] is None:
            settled["drop"] = plan.get("drop", 0.1)
    if given["warmup_epochs"] is None:
        per_epoch = max(len(source) // settled["batch_size"], 1)
        published = plan.get("warmup_epochs", plan.get("warmup_steps", 0) / per_epoch)
        settled["warmup_epochs"] = round(min(published, length / 10), 4)
    return settled


def passes(settled: Mapping[str, Any], images: int) -> float:
    """How many times the run goes over the data."""
    if settled["steps"] is None:
        return float(settled["epochs"])
    return float(settled["steps"]) / max(images // settled["batch_size"], 1)


def fitting_batch(images: int, published: int) -> int:
    """The largest power of two that is at most the published batch and a quarter of the images; 2 at least."""
    largest = max(min(published, images // 4), 2)
    return 1 << (largest.bit_length() - 1)


def fitting_side(source: Source, gpu: bool) -> int:
    """The largest usual side that the median image can fill; at most 96 px without a GPU, where more takes days."""
    median = float(np.median(sampled_sides(source) or [SIDES[-1]]))
    usual = [side for side in SIDES if gpu or side <= CPU_SIDE]
    return max([side for side in usual if side <= median], default=usual[0])


def sampled_sides(source: Source) -> list[int]:
    """Short sides in pixels of up to 64 images spread over the set, from their headers."""
    chosen = np.unique(np.linspace(0, len(source) - 1, min(LOOKED_AT, len(source))).astype(int))
    return [side for i in chosen if (side := _short_side(source, int(i)))]


def _short_side(source: Source, i: int) -> int:
    try:
        return min(image_size(source.open(i)))
    except (DecodeError, OSError):
        return 0


def default_out(method: str, data: str) -> str:
    """runs/METHOD-DATA, with the data's last name."""
    return str(Path("runs") / f"{method.replace('+', '-')}-{data_name(data)}")


def data_name(data: str) -> str:
    """The last name of a path, without its endings."""
    return Path(data.rstrip("/")).name.split(".")[0] or "data"
