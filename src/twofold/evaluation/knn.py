"""Nearest-neighbour classification of features: the weighted cosine kNN of MoCo's demo and the plain 5-NN of W-MSE."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.errors import UserError

_CHUNK = 1 << 25  # similarities held at a time (128 MB in float32)


def knn_predict(
    queries: Tensor, bank: Tensor, labels: Tensor, *, k: int = 200, temperature: float = 0.1, classes: int
) -> Tensor:
    """Class ids by falling score, (n, classes) int64.

    queries (n, D), bank (N, D), labels (N,) int64 in [0, classes). Rows are L2-normalised here; each of the k nearest
    bank rows by cosine adds exp(cosine / temperature) to the score of its class (Wu et al. 2018, as in MoCo's CIFAR
    demo). k larger than N means N. Of classes with equal scores the smaller id comes first.
    """
    queries, bank = _unit(queries), _unit(bank)
    return torch.cat([_vote(part @ bank.T, labels, k, temperature, classes) for part in _parts(queries, len(bank))])


def knn_accuracy(
    queries: Tensor,
    query_labels: Tensor,
    bank: Tensor,
    labels: Tensor,
    *,
    k: int = 200,
    temperature: float = 0.1,
    classes: int,
) -> float:
    """Share of queries (0..1) whose first class by `knn_predict` is right."""
    predicted = knn_predict(queries, bank, labels, k=k, temperature=temperature, classes=classes)[:, 0]
    return _share(predicted, query_labels)


def leave_one_out_knn(
    features: Tensor, labels: Tensor, *, k: int = 200, temperature: float = 0.1, classes: int | None = None
) -> float:
    """kNN accuracy (0..1) of every row against all the others; needs no separate test set."""
    classes = int(labels.max()) + 1 if classes is None else classes
    unit = _unit(features)
    predicted, start = [], 0
    for part in _parts(unit, len(unit)):
        similarity = part @ unit.T
        rows = torch.arange(len(part), device=part.device)
        similarity[rows, rows + start] = -torch.inf
        predicted.append(_vote(similarity, labels, min(k, len(unit) - 1), temperature, classes)[:, 0])
        start += len(part)
    return _share(torch.cat(predicted), labels)


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


def _share(predicted: Tensor, labels: Tensor) -> float:
    return (predicted == labels).double().mean().item()
