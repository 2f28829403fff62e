"""A linear classifier of cells on a frozen map: what the map says of each pixel's class without any decoder."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.errors import UserError
from twofold.images.dense.grid import Grid
from twofold.images.dense.maps import Mapped, MapSet
from twofold.images.dense.parts import held_out
from twofold.images.evaluation.iou import Confusion, SegmentationScores
from twofold.images.labels.records import IGNORE
from twofold.randomness import generator
from twofold.runs.screen import OnProgress

RATES = (0.01, 0.03, 0.1)
EPOCHS, MOMENTUM, BATCH = 40, 0.9, 8
LATTICE = 48  # random rows, and random columns, of pixels that a picture gives to a step
EPSILON = 1e-5  # as in batch norm
OnMask = Callable[[int, Tensor], None]  # the number of a test picture, and its answer: int64 (H, W)


@dataclass(frozen=True)
class LinearSegmentation:
    """scores: on the test pictures. rate: the learning rate that was chosen. tried: the mIoU of each on the held-out
    part of the training pictures."""

    scores: SegmentationScores
    rate: float
    tried: dict[float, float]


class Standard(NamedTuple):
    """Mean and deviation of each channel, (C,): what a batch norm without affine knows after a pass over the maps."""

    mean: Tensor
    std: Tensor

    def __call__(self, cells: Tensor) -> Tensor:
        return (cells - self.mean[:, None, None]) / self.std[:, None, None]


class Classifiers(NamedTuple):
    """G linear classifiers of cells, one a rate: weight (G, K, C), bias (G, K)."""

    weight: Tensor
    bias: Tensor

    def logits(self, cells: Tensor) -> Tensor:
        """(C, rows, columns) -> (G, K, rows, columns)."""
        return torch.einsum("gkc,crs->gkrs", self.weight, cells) + self.bias[:, :, None, None]


def linear_segmentation(
    train: MapSet,
    test: MapSet,
    *,
    seed: int = 0,
    epochs: int = EPOCHS,
    rates: Sequence[float] = RATES,
    on_progress: OnProgress | None = None,
    on_mask: OnMask | None = None,
) -> LinearSegmentation:
    """Batch norm without affine, a 1x1 convolution, logits enlarged bilinearly, cross entropy over labelled pixels.

    SGD with momentum 0.9, batches of 8 pictures, the rate falling to 0 by a cosine. All rates learn side by side on
    four fifths of the training pictures; the best by mIoU on the other fifth (`parts.held_out`) learns once more on
    all of them and is tested. The norm has the statistics of all cells it learns from; a step looks at a lattice of 48
    random rows by 48 random columns of each picture's mask, at its own size, which in the mean is the loss over every
    pixel. on_progress(done, total): passes over pictures. on_mask: sees the answer for each test picture.
    """
    classes = train.data.classes
    learn, hold = held_out(train.data.names, seed)
    passes = _Passes(on_progress, total=2 * (epochs + 2))
    norm = standard(train, learn)
    passes.add(1)
    found = fit(train, learn, len(classes), norm, rates, epochs=epochs, seed=seed, passes=passes)
    tried = [scores.miou for scores in tested(train, hold, found, norm, classes)]
    best = max(range(len(rates)), key=lambda g: tried[g])
    passes.add(1)
    everything = list(range(len(train)))
    norm = standard(train, everything)
    passes.add(1)
    final = fit(train, everything, len(classes), norm, rates[best : best + 1], epochs=epochs, seed=seed, passes=passes)
    (scores,) = tested(test, list(range(len(test))), final, norm, classes, on_mask)
    passes.add(1)
    return LinearSegmentation(scores, rates[best], dict(zip(rates, tried, strict=True)))


def standard(maps: MapSet, indices: Sequence[int]) -> Standard:
    """Statistics over all cells of these pictures, as a batch norm would have them after one batch of all."""
    count, sums = 0, torch.zeros(2, 1, dtype=torch.float64)
    for made in maps.stream(indices):
        cells = made.map.flatten(1).double()
        sums = sums.to(cells.device) + torch.stack([cells.sum(1), cells.square().sum(1)])
        count += cells.shape[1]
    mean, squares = sums / count
    variance = (squares - mean.square()).clamp(min=0)
    return Standard(mean.float(), (variance + EPSILON).sqrt().float())


def fit(
    maps: MapSet,
    indices: Sequence[int],
    classes: int,
    norm: Standard,
    rates: Sequence[float],
    *,
    epochs: int,
    seed: int,
    passes: _Passes | None = None,
) -> Classifiers:
    """Classifiers learned by SGD, one for each rate, from the same start (zero) over the same batches and pixels.

    Raises UserError where no pixel is labelled."""
    device = norm.mean.device
    group, speed = torch.tensor(rates, device=device), MOMENTUM
    weight = torch.zeros(len(rates), classes, len(norm.mean), device=device, requires_grad=True)
    bias = torch.zeros(len(rates), classes, device=device, requires_grad=True)
    velocity = [torch.zeros_like(weight), torch.zeros_like(bias)]
    steps, step, pixels = epochs * -(-len(indices) // BATCH), 0, 0
    for epoch in range(epochs):
        draws = generator(seed, "linear segmentation", epoch)
        order = [indices[i] for i in torch.randperm(len(indices), generator=draws).tolist()]
        for batch in _batches(maps, order):
            losses = [
                pixel_losses(Classifiers(weight, bias), norm(made.map), made.grid, maps.mask(made.number), draws)
                for made in batch
            ]
            count = sum(count for _, count in losses)
            loss = torch.stack([total for total, _ in losses]).sum(0) / max(count, 1)
            gradients = torch.autograd.grad(loss.sum(), [weight, bias])
            factor = group * (1 + math.cos(math.pi * step / steps)) / 2
            with torch.no_grad():
                for value, moved, gradient in zip((weight, bias), velocity, gradients, strict=True):
                    moved.mul_(speed).add_(gradient)
                    value.sub_(moved * factor.view(-1, *[1] * (value.ndim - 1)))
            step, pixels = step + 1, pixels + count
        if passes:
            passes.add(1)
    if not pixels:
        raise UserError(f"{maps.data.name} has no labelled pixel to learn from: see its masks and --ignore-id.")
    return Classifiers(weight.detach(), bias.detach())


def pixel_losses(
    classifiers: Classifiers, cells: Tensor, grid: Grid, mask: Tensor, draws: torch.Generator | None
) -> tuple[Tensor, int]:
    """(sum of the cross entropies of each classifier, (G,); labelled pixels) over a random lattice of the mask's
    pixels, or over all of them where `draws` is None."""
    rows, columns = _lattice(mask.shape[0], draws), _lattice(mask.shape[1], draws)
    truth = mask[rows][:, columns].long().to(cells.device)
    down, across = grid.down.weights(rows).to(cells), grid.across.weights(columns).to(cells)
    logits = down @ classifiers.logits(cells) @ across.T
    loss = F.cross_entropy(logits, truth.expand(len(logits), -1, -1), ignore_index=IGNORE, reduction="none")
    return loss.flatten(1).sum(1), int((truth != IGNORE).sum())


def tested(
    maps: MapSet,
    indices: Sequence[int],
    classifiers: Classifiers,
    norm: Standard,
    classes: Sequence[str],
    on_mask: OnMask | None = None,
) -> list[SegmentationScores]:
    """The scores of each classifier on pictures: logits enlarged to each mask's own size, one matrix over all."""
    matrices = [Confusion(classes) for _ in classifiers.weight]
    with torch.no_grad():
        for made in maps.stream(indices):
            truth = maps.mask(made.number)
            for matrix, logits in zip(matrices, classifiers.logits(norm(made.map)), strict=True):
                answer = made.grid.largest(logits)
                matrix.add(truth, answer)
                if on_mask:
                    on_mask(made.number, answer)
    return [matrix.scores() for matrix in matrices]


class _Passes:
    """Tells how many passes over pictures are done."""

    def __init__(self, on_progress: OnProgress | None, total: int) -> None:
        self.on_progress, self.total, self.done = on_progress, total, 0

    def add(self, count: int) -> None:
        self.done += count
        if self.on_progress:
            self.on_progress(min(self.done, self.total), self.total)


def _lattice(side: int, draws: torch.Generator | None) -> Tensor:
    if draws is None or side <= LATTICE:
        return torch.arange(side)
    return torch.randperm(side, generator=draws)[:LATTICE].sort().values


def _batches(maps: MapSet, order: Sequence[int]) -> Iterator[list[Mapped]]:
    batch: list[Mapped] = []
    for made in maps.stream(order):
        batch.append(made)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
