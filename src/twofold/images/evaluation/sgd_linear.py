"""Linear evaluation as the papers do it: a linear layer on the frozen backbone, new crops in every epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.evaluation.accuracy import layer_accuracies
from twofold.images.backbones import Backbone
from twofold.images.evaluation.augmented import epoch_batches
from twofold.images.evaluation.features import InputSettings
from twofold.images.evaluation.splits import Split
from twofold.randomness import generator
from twofold.runs.screen import OnProgress
from twofold.training.lars import LARS


@dataclass(frozen=True)
class LinearRecipe:
    """lr: for 256 images, scaled in proportion to the batch. steps: epochs, as shares of all, after which lr drops
    tenfold; empty means a cosine to zero, by epoch. init_std: of the weights at the start; the
    bias starts at zero.
    """

    optimizer: Literal["sgd", "lars"]
    lr: float
    batch_size: int
    epochs: int
    steps: tuple[float, ...] = ()
    weight_decay: float = 0.0
    nesterov: bool = False
    init_std: float = 0.01

    def rate(self, epoch: int, epochs: int, batch_size: int) -> float:
        """The learning rate of an epoch counted from 0."""
        base = self.lr * batch_size / 256
        if self.steps:
            return base * 0.1 ** sum(epoch >= share * epochs for share in self.steps)
        return base * 0.5 * (1 + math.cos(math.pi * epoch / epochs))


# Settings of the authors' code: MoCo main_lincls.py, SimSiam main_lincls.py, SimCLR README.
LINEAR_RECIPES = {
    "moco": LinearRecipe("sgd", 30.0, 256, 100, steps=(0.6, 0.8)),
    "simsiam": LinearRecipe("lars", 0.1, 4096, 90),
    "simclr": LinearRecipe("sgd", 0.1, 4096, 90, weight_decay=1e-6, nesterov=True),
    "simclr-cifar": LinearRecipe("sgd", 0.1, 512, 100, nesterov=True),
}


def sgd_linear(
    backbone: Backbone,
    train: Split,
    test: Split,
    classes: int,
    inputs: InputSettings,
    *,
    recipe: LinearRecipe,
    seed: int = 0,
    epochs: int | None = None,
    on_progress: OnProgress | None = None,
) -> dict[str, float]:
    """{"top1", "top5"} (0..1; top5 only beyond 5 classes) of the test images' centre crops.

    The backbone (already on inputs.device) stays in evaluation mode and untouched; each epoch shows it a
    random-resized crop and mirror of every training image. A recipe's batch larger than the training set shrinks to
    it, and the learning rate with it. epochs: default the recipe's. on_progress(done, total) counts epochs.
    """
    epochs, batch_size = epochs or recipe.epochs, min(recipe.batch_size, len(train))
    layer = make_layer(backbone.width, classes, recipe.init_std, seed).to(inputs.device)
    optimizer = _optimizer(recipe, layer)
    training = backbone.training
    backbone.eval()
    try:
        for epoch in range(epochs):
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate(epoch, epochs, batch_size)
            _learn(backbone, layer, optimizer, epoch_batches(train, epoch, batch_size, inputs, seed), inputs)
            if on_progress:
                on_progress(epoch + 1, epochs)
    finally:
        backbone.train(training)
    features, labels = test.features(backbone, inputs)
    return layer_accuracies(layer, features.to(inputs.device), labels.to(inputs.device))


def make_layer(width: int, classes: int, init_std: float, seed: int) -> nn.Linear:
    """A linear layer whose weights depend on the seed alone: N(0, init_std), zero bias."""
    layer, draws = nn.Linear(width, classes), generator(seed, "linear layer")
    with torch.no_grad():
        layer.weight.normal_(0, init_std, generator=draws)
        layer.bias.zero_()
    return layer


def _learn(
    backbone: Backbone,
    layer: nn.Linear,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[tuple[Tensor, Tensor]],
    inputs: InputSettings,
) -> None:
    for x, labels in batches:
        with torch.no_grad(), inputs.autocast():
            features = backbone(x).pooled
        loss = F.cross_entropy(layer(features.float()), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _optimizer(recipe: LinearRecipe, layer: nn.Linear) -> torch.optim.Optimizer:
    if recipe.optimizer == "lars":
        return LARS(layer.parameters(), lr=recipe.lr, momentum=0.9, weight_decay=recipe.weight_decay)
    return torch.optim.SGD(
        layer.parameters(), lr=recipe.lr, momentum=0.9, weight_decay=recipe.weight_decay, nesterov=recipe.nesterov
    )
