"""Fine-tuning: the whole network learns from some of the labels; the same from random weights is the floor."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.evaluation.accuracy import layer_accuracies
from twofold.images.backbones import Backbone
from twofold.images.evaluation.augmented import epoch_batches
from twofold.images.evaluation.features import InputSettings
from twofold.images.evaluation.sgd_linear import make_layer
from twofold.images.evaluation.splits import Split
from twofold.runs.screen import OnProgress


@dataclass(frozen=True)
class FinetuneRecipe:
    """Nesterov SGD, momentum 0.9, cosine to zero by step, random-resized crop and mirror.

    lr: for 256 images, scaled in proportion to the batch (SimCLR, appendix B.9). batch_size: shrinks to an eighth of
    the labels, but not below 16. min_steps: a small set of labels is gone through more often, up to as many steps.
    """

    lr: float = 0.05
    batch_size: int = 256
    epochs: int = 30
    weight_decay: float = 0.0
    min_steps: int = 400


def finetune(
    backbone: Backbone,
    train: Split,
    test: Split,
    classes: int,
    inputs: InputSettings,
    *,
    recipe: FinetuneRecipe | None = None,
    epochs: int | None = None,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> dict[str, float]:
    """{"top1", "top5"} (0..1; top5 only beyond 5 classes) of the test images' centre crops after training.

    A copy of the backbone learns, with a new linear layer (zero weights); batch norm in training mode. For a share of
    the labels take splits.few_labels of `train` first. epochs: default the recipe's, or more to reach its min_steps.
    on_progress(done, total) counts epochs. Raises UserError when the loss is no longer finite.
    """
    recipe = recipe or FinetuneRecipe()
    batch_size = min(recipe.batch_size, max(16, len(train) // 8), len(train))
    per_epoch = -(-len(train) // batch_size)
    epochs = epochs or max(recipe.epochs, -(-recipe.min_steps // per_epoch))
    network = copy.deepcopy(backbone).to(inputs.device)
    head = make_layer(backbone.width, classes, 0.0, seed).to(inputs.device)
    weights = [*network.parameters(), *head.parameters()]
    rate, steps = recipe.lr * batch_size / 256, epochs * per_epoch
    optimizer = torch.optim.SGD(weights, lr=rate, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay)
    rates = (rate * 0.5 * (1 + math.cos(math.pi * step / steps)) for step in range(steps))
    for epoch in range(epochs):
        network.train()
        loss = _learn(network, head, optimizer, epoch_batches(train, epoch, batch_size, inputs, seed), rates, inputs)
        if not bool(torch.isfinite(loss)):
            raise UserError(f"Fine-tuning diverged in epoch {epoch + 1}; lower its learning rate ({recipe.lr:g}).")
        if on_progress:
            on_progress(epoch + 1, epochs)
    features, labels = test.features(network, inputs)
    return layer_accuracies(head, features.to(inputs.device), labels.to(inputs.device))


def _learn(
    network: Backbone,
    head: nn.Linear,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[tuple[Tensor, Tensor]],
    rates: Iterator[float],
    inputs: InputSettings,
) -> Tensor:
    """A step for each batch, at the next of the learning rates; returns the loss of the last."""
    loss = torch.zeros(())
    for x, labels in batches:
        if len(x) < 2:
            continue  # batch norm has no statistics of one image
        for group in optimizer.param_groups:
            group["lr"] = next(rates)
        with inputs.autocast():
            pooled = network(x).pooled
        loss = F.cross_entropy(head(pooled.float()), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss
