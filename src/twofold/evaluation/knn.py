"""Nearest-neighbour classification of features: the weighted cosine kNN of MoCo's demo and the plain 5-NN of W-MSE."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.errors import UserError
from twofold.randomness import generator

MOST = 200  # neighbours, as published (Wu et al. 2018)
TEMPERATURE = 0.1
FOLDS, FEWEST_FOLDS = 10, 5
_CHUNK = 1 << 25  # similarities held at a time (128 MB in float32)


def knn_predict(
    queries: Tensor, bank: Tensor, labels: Tensor, *, k: int = MOST, temperature: float = TEMPERATURE, classes: int
) -> Tensor:
    """Class ids by falling score, (n, classes) int64.

    queries (n, D), bank (N, D), labels (N,) int64 in [0, classes). Rows are L2-normalised here; each of the k nearest
    bank rows by cosine adds exp(cosine / temperature) to the score of its class (Wu et al. 2018, as in MoCo's CIFAR
    demo). k larger than N means N. Of classes with equal scores the smaller id comes first.
    """
    queries, bank = _unit(queries), _unit(bank)
    return torch.cat([_vote(part @ bank.T, labels, k, temperature, classes) for part in _parts(queries, len(bank))])


def fitting_k(labels: Tensor, most: int = MOST) -> int:
    """How many neighbours may vote: half of the smallest class of the bank, 200 at most and 1 at least.

    labels: (N,) int64. With more, features without information answer by the sizes of the classes alone. Classes of a
    single image are passed over, for they would leave one neighbour to all others.
    """
    counts = labels.unique(return_counts=True)[1]
    counts = counts[counts > 1]
    return min(most, max(1, int(counts.min()) // 2)) if len(counts) else 1


def balanced_folds(labels: Tensor, seed: int) -> Tensor:
    """A fold for every row, int64 (N,): its rank in its class, drawn by the seed, modulo the number of folds.

    As many folds as the smallest class has rows, but 5 to 10. Classes of one size have equally many rows in every fold,
    so each loses alike when a fold is taken out; leaving out one row would leave its own class a vote short.
    """
    values, counts = labels.unique(return_counts=True)
    count = min(FOLDS, max(FEWEST_FOLDS, int(counts.min())))
    folds = torch.zeros_like(labels)
    for value in values.tolist():
        rows = torch.nonzero(labels == value)[:, 0]
        order = torch.randperm(len(rows), generator=generator(seed, "kNN folds", value)).to(rows.device)
        folds[rows[order]] = torch.arange(len(rows), device=rows.device) % count
    return folds


def fitting_k_of_folds(labels: Tensor, folds: Tensor) -> int:
    """The `fitting_k` that suits every bank that is left when one of the folds is taken out."""
    return min(fitting_k(labels[folds != fold]) for fold in folds.unique().tolist())


def knn_of_folds(
    features: Tensor, labels: Tensor, folds: Tensor, *, k: int, temperature: float = TEMPERATURE, classes: int
) -> Tensor:
    """The first class by `knn_predict` for every row, int64 (N,), each fold asked of all the others; needs no separate
    test set.

    A class of a single row can never be right, and counts as wrong.
    """
    predicted = torch.zeros_like(labels)
    for fold in folds.unique().tolist():
        asked = folds == fold
        bank, own = features[~asked], labels[~asked]
        found = knn_predict(features[asked], bank, own, k=k, temperature=temperature, classes=classes)
        predicted[asked] = found[:, 0].to(labels.device)
    return predicted


def five_nn(queries: Tensor, bank: Tensor, labels: Tensor, *, k: int = 5) -> Tensor:
    """Predicted labels (n,) by a majority of the 5 nearest rows in Euclidean distance on raw features.

    Ties go to the smaller label (the W-MSE authors' protocol).
    """
    classes = int(labels.max()) + 1
    centre = _checked(bank).mean(0)  # distances stay, and the expanded square loses fewer digits
    bank, queries = bank.to(centre.dtype) - centre, _checked(queries).to(centre.dtype) - centre
    squares = bank.square().sum(1)
    tie_break = torch.arange(classes, device=bank.device)
    predicted = []
    for part in _parts(queries, len(bank)):
        nearest = (squares - 2 * part @ bank.T).topk(min(k, len(bank)), largest=False).indices
        votes = F.one_hot(labels[nearest], classes).sum(1)
        predicted.append((votes * classes - tie_break).argmax(1))
    return torch.cat(predicted)


def _vote(similarity: Tensor, labels: Tensor, k: int, temperature: float, classes: int) -> Tensor:
    nearest, rows = similarity.topk(min(k, similarity.shape[1]))
    weights = (
        (nearest - nearest[:, :1]) / temperature
    ).exp()  # a row's common factor changes no order, and no overflow
    scores = weights.new_zeros(len(weights), classes).scatter_add_(1, labels[rows], weights)
    return scores.argsort(stable=True, dim=1, descending=True)


def _unit(features: Tensor) -> Tensor:
    return F.normalize(_checked(features), dim=1)


def _checked(features: Tensor) -> Tensor:
    features = features if features.dtype == torch.float64 else features.float()
    if not bool(torch.isfinite(features).all()):
        bad = int((~torch.isfinite(features).all(1)).sum())
        raise UserError(f"{bad} of {len(features)} feature vectors hold NaN or infinity: the network has diverged.")
    return features


def _parts(rows: Tensor, width: int) -> tuple[Tensor, ...]:
    return rows.split(max(1, _CHUNK // max(1, width)))
