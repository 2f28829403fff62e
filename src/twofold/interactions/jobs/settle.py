"""From what the user gave to the value of every setting of a run on interactions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twofold.catalog.composition import Composition
from twofold.errors import UserError
from twofold.interactions.reading.splits import Interactions

BATCH, EPOCHS, PATIENCE = 2048, 1000, 20
SPARSE = 8  # pairs for each user with any, below which the recipe for sparse data is named
FEW_PAIRS, FAST = 300_000, 5e-3

# What a run on interactions reads of the options of `pretrain`; others belong to other kinds of data.
OPTIONS = (
    "method", "data", "recipe", "out", "val", "test", "split", "user_column", "item_column", "weight_column",
    "time_column", "min_weight", "core", "noise", "titles", "epochs", "steps", "batch_size", "optimizer", "lr",
    "weight_decay", "seed", "devices", "nodes", "patience", "select_on", "eval_every", "save_every", "log_every",
    "report", "quiet", "method_options",
)  # fmt: skip

TRAINING = ("epochs", "steps", "batch_size", "optimizer", "lr", "weight_decay", "patience", "eval_every", "log_every")


def settle(given: Mapping[str, Any], composition: Composition, data: Interactions) -> dict[str, Any]:
    """Every setting of a run with its value. Raises UserError where the data cannot carry what was asked."""
    if not len(data.train):
        raise UserError(f"{given['data']} leaves no pairs to learn from.")
    settled = {name: given[name] for name in OPTIONS}
    settled["recipe"] = "default" if given["recipe"] == "auto" else given["recipe"]
    recipe = composition.recipe(settled["recipe"])
    pairs = len(data.train)
    settled["out"] = given["out"] or str(Path("runs") / f"{given['method']}-{data_name(given['data'])}")
    if settled["select_on"] == "test" and data.test is None:
        raise UserError("--select-on test needs a test part, and the data has none.")
    if not composition.trained:
        for name in TRAINING:
            if given[name] not in (None, "auto"):
                raise UserError(f"{given['method']} is not trained: --{name.replace('_', '-')} means nothing for it.")
        return {name: value for name, value in settled.items() if name not in TRAINING}
    settled["batch_size"] = given["batch_size"] or min(BATCH, max(2, pairs // 4))
    if given["epochs"] is None and given["steps"] is None:
        settled["epochs"] = EPOCHS
    if given["optimizer"] == "auto":
        settled["optimizer"] = recipe.plan["optimizer"]
    if given["lr"] is None:
        few = given["recipe"] == "auto" and pairs < FEW_PAIRS
        settled["lr"] = FAST if few else recipe.plan["base_lr"]
    if given["weight_decay"] is None:
        settled["weight_decay"] = 0.0
    settled["patience"] = PATIENCE if given["patience"] is None else given["patience"]
    settled["eval_every"] = given["eval_every"] or 1
    return settled


def data_name(data: str) -> str:
    """The last name of a path, without its endings."""
    return Path(str(data).rstrip("/")).name.split(".")[0] or "data"
