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
_PER_VOTE = 10  # how many of them take as much as one neighbour's label, place and weight


def knn_predict(
    queries: Tensor, bank: Tensor, labels: Tensor, *, k: int = MOST, temperature: float = TEMPERATURE
) -> Tensor:
    """The classes that get a vote, by falling score, (n, min(k, N)) int64; -1 fills the rows of fewer classes.

    queries (n, D), bank (N, D), labels (N,) int64, 0 and up. Rows are L2-normalised here; each of the k nearest bank
    rows by cosine adds exp(cosine / temperature) to the score of its class (Wu et al. 2018, as in MoCo's CIFAR demo).
    k larger than N means N. Of classes with equal scores the smaller id comes first. The memory depends on k, not on
    the number of classes.
    """
    queries, bank = _unit(queries), _unit(bank)
    k = min(k, len(bank))
    return torch.cat([_vote(part @ bank.T, labels, k, temperature) for part in _parts(queries, len(bank), k)])


def fitting_k(labels: Tensor, most: int = MOST) -> int:
    """How many neighbours may vote: half of the smallest class of the bank, 200 at most and 1 at least.

    labels: (N,) int64. With more, features without information answer by the sizes of the classes alone. Classes of a
    single image are passed over, for they would leave one neighbour to all others.
    """
    counts = labels.unique(return_counts=True)[1]
    counts = counts[counts > 1]
    return min(most, max(1, int(counts.min()) // 2)) if len(counts) else 1


def rows_by_class(labels: Tensor) -> dict[int, Tensor]:
    """The rows of each label in rising order, int64, labels rising, too: by one sort, however many labels there are."""
    order = labels.argsort(stable=True)
    values, counts = labels.unique(return_counts=True)
    return dict(zip(values.tolist(), order.split(counts.tolist()), strict=True))


def balanced_folds(labels: Tensor, seed: int) -> Tensor:
    """A fold for every row, int64 (N,): its rank in its class, drawn by the seed, modulo the number of folds.

    As many folds as the smallest class has rows, but 5 to 10. Classes of one size have equally many rows in every fold,
    so each loses alike when a fold is taken out; leaving out one row would leave its own class a vote short.
    """
    by_class = rows_by_class(labels)
    count = min(FOLDS, max(FEWEST_FOLDS, min(len(rows) for rows in by_class.values())))
    folds = torch.zeros_like(labels)
    for value, rows in by_class.items():
        order = torch.randperm(len(rows), generator=generator(seed, "kNN folds", value)).to(rows.device)
        folds[rows[order]] = torch.arange(len(rows), device=rows.device) % count
    return folds


def fitting_k_of_folds(labels: Tensor, folds: Tensor) -> int:
    """The `fitting_k` that suits every bank that is left when one of the folds is taken out."""
    return min(fitting_k(labels[folds != fold]) for fold in folds.unique().tolist())


def knn_of_folds(
    features: Tensor, labels: Tensor, folds: Tensor, *, k: int, temperature: float = TEMPERATURE
) -> Tensor:
    """The first class by `knn_predict` for every row, int64 (N,), each fold asked of all the others; needs no separate
    test set.

    A class of a single row can never be right, and counts as wrong; so does a fold that no other stands beside (-1).
    """
    predicted = torch.full_like(labels, -1)
    for fold in folds.unique().tolist():
        asked = folds == fold
        bank, own = features[~asked], labels[~asked]
        if not len(bank):
            continue
        found = knn_predict(features[asked], bank, own, k=k, temperature=temperature)
        predicted[asked] = found[:, 0].to(labels.device)
    return predicted


def five_nn(queries: Tensor, bank: Tensor, labels: Tensor, *, k: int = 5) -> Tensor:
    """Predicted labels (n,) by a majority of the 5 nearest rows in Euclidean distance on raw features.

    Ties go to the smaller label (the W-MSE authors' protocol).
    """
    centre = _checked(bank).mean(0)  # distances stay, and the expanded square loses fewer digits
    bank, queries = bank.to(centre.dtype) - centre, _checked(queries).to(centre.dtype) - centre
    squares, k = bank.square().sum(1), min(k, len(bank))
    predicted = []
    for part in _parts(queries, len(bank), k):
        nearest = (squares - 2 * part @ bank.T).topk(k, largest=False).indices
        classes, votes = _tally(labels[nearest], torch.ones_like(nearest))
        first = (votes * k - torch.arange(k, device=votes.device)).argmax(1, keepdim=True)
        predicted.append(classes.gather(1, first)[:, 0])
    return torch.cat(predicted)


def _vote(similarity: Tensor, labels: Tensor, k: int, temperature: float) -> Tensor:
    nearest, rows = similarity.topk(k)
    weights = (
        (nearest - nearest[:, :1]) / temperature
    ).exp()  # a row's common factor changes no order, and no overflow
    classes, scores = _tally(labels[rows], weights)
    order = scores.masked_fill(classes < 0, -1).argsort(stable=True, dim=1, descending=True)
    return classes.gather(1, order)


def _tally(labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """(classes, sums), both (n, k): the different labels (n, k) of each row in rising order, with the sum of the
    weights (n, k) of each, added in their order; where a label has come before, -1 and 0."""
    ordered = labels.sort(dim=1).values
    sums = torch.zeros_like(weights).scatter_add_(1, torch.searchsorted(ordered, labels.contiguous()), weights)
    ordered[:, 1:].masked_fill_(ordered[:, 1:] == ordered[:, :-1].clone(), -1)
    return ordered, sums


def _unit(features: Tensor) -> Tensor:
    return F.normalize(_checked(features), dim=1)


def _checked(features: Tensor) -> Tensor:
    features = features if features.dtype == torch.float64 else features.float()
    if not bool(torch.isfinite(features).all()):
        bad = int((~torch.isfinite(features).all(1)).sum())
        raise UserError(f"{bad} of {len(features)} feature vectors hold NaN or infinity: the network has diverged.")
    return features


def _parts(rows: Tensor, width: int, k: int) -> tuple[Tensor, ...]:
    """The rows in parts, by the similarities of each (`width`) and by what its k neighbours take while they vote."""
    return rows.split(max(1, _CHUNK // max(1, width, _PER_VOTE * k)))
