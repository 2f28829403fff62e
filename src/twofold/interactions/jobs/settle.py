"""From what the user gave to the value of every option of a run on interactions."""

from __future__ import annotations

from dataclasses import replace

from twofold.catalog.composition import Composition
from twofold.catalog.options import spelled
from twofold.errors import UserError
from twofold.interactions.options import Pretrain
from twofold.interactions.reading.splits import Interactions
from twofold.runs.folder import default_out
from twofold.training.settling import settle_training

BATCH, EPOCHS, PATIENCE = 2048, 1000, 20
SPARSE = 8  # pairs for each user with any, below which the recipe for sparse data is named
FEW_PAIRS, FAST = 300_000, 5e-3

# Options that mean nothing where nothing is trained.
TRAINING = (
    "epochs", "steps", "batch_size", "optimizer", "lr", "weight_decay", "patience", "eval_every", "log_every", "weights"
)  # fmt: skip


def settle(options: Pretrain, composition: Composition, data: Interactions, path: str) -> Pretrain:
    """The options with every value filled in. Raises UserError where the data cannot carry what was asked."""
    pairs = len(data.train)
    if not pairs:
        raise UserError(f"{path} leaves no pairs to learn from.")
    if options.select_on == "test" and data.test is None:
        raise UserError("--select-on test needs a test part, and the data has none.")
    name = "default" if options.recipe == "auto" else options.recipe
    recipe = composition.recipe(name)
    settings = replace(
        options, kind=composition.kind, recipe=name, out=options.out or default_out(composition.name, path)
    )
    if not composition.trained:
        _refuse_training(options, composition.name)
        return settings
    few = options.recipe == "auto" and pairs < FEW_PAIRS
    settings = replace(
        settings,
        batch_size=options.batch_size or min(BATCH, max(2, pairs // 4)),
        lr=FAST if few and options.lr is None else options.lr,
        patience=PATIENCE if options.patience is None else options.patience,
        eval_every=options.eval_every or 1,
    )
    optimizer = recipe.plan["optimizer"] if options.optimizer == "auto" else options.optimizer
    plan = {**recipe.plan, "optimizer": optimizer}  # the rate serves for any of them
    return settle_training(settings, plan, pairs, epochs=EPOCHS)


def _refuse_training(options: Pretrain, method: str) -> None:
    for name in TRAINING:
        if getattr(options, name) != options.usual()[name]:
            raise UserError(f"{method} is not trained in steps: {spelled(name)} means nothing for it.")
