"""A linear classifier on features computed once: the small-image protocol of the W-MSE authors' repository."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.evaluation.accuracy import layer_accuracies
from twofold.randomness import generator


def linear_probe(
    train_x: Tensor,
    train_y: Tensor,
    test_x: Tensor,
    test_y: Tensor,
    classes: int,
    seed: int = 0,
    *,
    epochs: int = 500,
    batch_size: int = 1000,
    lr: float = 1e-2,
    last_lr: float = 1e-6,
    weight_decay: float = 5e-6,
) -> dict[str, float]:
    """{"top1", "top5"} (0..1; top5 only beyond 5 classes) on the test set of one linear layer with bias.

    train_x (n, D), train_y (n,) int64 in [0, classes). Features are taken as they are, neither normalised nor
    standardised. Adam, learning rate from `lr` to `last_lr` exponentially by epoch, L2 in the gradient. An epoch is
    cut into ceil(n / batch_size) nearly equal batches, so small sets take part whole.
    """
    layer = fitted_layer(
        train_x,
        train_y,
        classes,
        seed,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        last_lr=last_lr,
        weight_decay=weight_decay,
    )
    return layer_accuracies(layer, test_x.float(), test_y.to(test_x.device))


def fitted_layer(
    train_x: Tensor,
    train_y: Tensor,
    classes: int,
    seed: int = 0,
    *,
    epochs: int = 500,
    batch_size: int = 1000,
    lr: float = 1e-2,
    last_lr: float = 1e-6,
    weight_decay: float = 5e-6,
) -> nn.Linear:
    """The layer of `linear_probe`."""
    train_x = train_x.float()
    device, n = train_x.device, len(train_x)
    train_y = train_y.to(device)
    layer = _layer(train_x.shape[1], classes, seed).to(device)
    optimizer = torch.optim.Adam(layer.parameters(), lr=lr, weight_decay=weight_decay)
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = lr * (last_lr / lr) ** (epoch / epochs)
        order = torch.randperm(n, generator=generator(seed, "linear probe", epoch)).to(device)
        for rows in order.tensor_split(-(-n // batch_size)):
            loss = F.cross_entropy(layer(train_x[rows]), train_y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return layer


def _layer(width: int, classes: int, seed: int) -> nn.Linear:
    layer = nn.Linear(width, classes)
    draws = generator(seed, "linear probe", "init")
    with torch.no_grad():
        for weight in layer.parameters():  # PyTorch's own bound, from our own seed
            weight.uniform_(-(width**-0.5), width**-0.5, generator=draws)
    return layer
