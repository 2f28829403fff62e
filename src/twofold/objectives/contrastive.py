"""Contrast with negatives: each row picks its own among others (NT-Xent, InfoNCE), and what makes negatives hard."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

SHORT = 1e-3


def nt_xent(first: Tensor, second: Tensor, candidates: Tensor, offset: int, temperature: float) -> Tensor:
    """Each view picks its sibling among all other views, both directions averaged, for every image.

    first, second: (B, D), the two views of B images. candidates: (2N, D), the first views of all N >= B images of the
    step, then their second views; rows offset..offset+B-1 of each half are `first` and `second`. Rows are compared as
    they come (normalise them first for the paper's cosine). Returns (B,); its mean is the paper's mean over 2B rows
    (SimCLR, Chen et al., ICML 2020, equation 1).
    """
    batch, total = len(first), len(candidates) // 2
    rows = torch.arange(batch, device=first.device) + offset
    own = torch.cat([rows, rows + total])
    sibling = torch.cat([rows + total, rows])
    logits = torch.cat([first, second]) @ candidates.T / temperature
    positive = logits.gather(1, sibling[:, None]).squeeze(1)
    logits = logits.scatter(1, own[:, None], float("-inf"))
    loss = logits.logsumexp(1) - positive
    return (loss[:batch] + loss[batch:]) / 2


def info_nce(
    queries: Tensor, keys: Tensor, negatives: Tensor, temperature: float, extra: Tensor | None = None
) -> Tensor:
    """Each query picks its key among stored negatives (MoCo, He et al., CVPR 2020, equation 1).

    queries, keys: (B, D) unit rows. negatives: (K, D), shared by all rows; without any the loss is 0. extra: (B, S, D),
    further negatives of each row. Returns (B,): -log of the softmax share of the positive among 1 + K (+ S)
    similarities over the temperature.
    """
    queries = queries / temperature
    positive = (queries * keys).sum(1)
    against = _log_mass(queries, negatives)
    if extra is not None:
        against = torch.logaddexp(against, torch.einsum("bd,bsd->bs", queries, extra).logsumexp(1))
    return torch.logaddexp(against, positive) - positive


def pick(rows: Tensor, keys: Tensor, offset: int, temperature: float) -> tuple[Tensor, Tensor]:
    """Each row picks its key among all keys by their cosines (InfoNCE, van den Oord et al., 2018, equation 4).

    rows: (B, D). keys: (K, D), key offset + i being that of row i. Returns the cross-entropies (B,), and int64 (B,) the
    number of the nearest key. Rows shorter than a thousandth, as a batch norm leaves them where all are
    alike, stay short: lengthened, their gradient would have no bound.
    """
    logits = F.normalize(rows, dim=1, eps=SHORT) @ F.normalize(keys, dim=1, eps=SHORT).T / temperature
    right = torch.arange(len(rows), device=rows.device) + offset
    return F.cross_entropy(logits, right, reduction="none"), logits.argmax(1)


def info_nce_each(queries: Tensor, keys: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """The loss of `info_nce` for each of several keys of a query by itself: a softmax a positive.

    queries: (B, D) unit rows. keys: (B, n, D). negatives: (K, D), shared by all rows. Returns (B, n).
    """
    queries = queries / temperature
    positive = torch.einsum("bd,bnd->bn", queries, keys)
    against = _log_mass(queries, negatives)
    return torch.logaddexp(against[:, None], positive) - positive


def _log_mass(queries: Tensor, negatives: Tensor) -> Tensor:
    """log sum_k exp(q . n_k) of each query, (B, D), (K, D) -> (B,); -inf without negatives."""
    found: Tensor = (
        _LogMass.apply(queries, negatives) if len(negatives) else queries.new_full((len(queries),), -torch.inf)
    )
    return found


class _LogMass(torch.autograd.Function):
    """log sum_k exp(q . n_k) of each query, (B, D), (K, D) -> (B,); no gradient for the negatives.

    One table of B x K numbers is made, and changed in place; separate operations make three and keep two. With the
    cells of dense methods as rows, B x K is the largest thing in a step.
    """

    @staticmethod
    def forward(ctx: Any, queries: Tensor, negatives: Tensor) -> Tensor:
        table = queries @ negatives.T
        peak = table.amax(1, keepdim=True)
        mass = table.sub_(peak).exp_().sum(1, keepdim=True)
        ctx.save_for_backward(table, mass, negatives)
        return (peak + mass.log()).squeeze(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        table, mass, negatives = ctx.saved_tensors
        return (table @ negatives) * (gradient[:, None] / mass), None


def info_nce_in_batch(
    queries: Tensor, keys: Tensor, temperature: float, offset: int = 0, extra: Tensor | None = None
) -> Tensor:
    """Each query picks its key among the keys of the whole batch (MoCo v3, Chen et al., ICCV 2021, equation 1).

    queries: (B, D) unit rows. keys: (N, D), of all N >= B images of the step; the queries' own are offset..offset+B-1.
    extra: (B, S, D), further negatives of each row. Returns (B,): -log of the softmax share of the own key among the
    N (+ S) similarities over the temperature.
    """
    logits = queries @ keys.T
    if extra is not None:
        logits = torch.cat([logits, torch.einsum("bd,bsd->bs", queries, extra)], dim=1)
    own = torch.arange(len(queries), device=queries.device) + offset
    return F.cross_entropy(logits / temperature, own, reduction="none")


def temporal_nce(rows: Tensor, targets: Tensor, temperature: float, offset: int = 0) -> Tensor:
    """Each row picks its own image among what each teacher says of the batch.

    rows: (B, D) unit. targets: (n, N, D) unit, of all N images of the step; the rows' own are offset..offset+B-1.
    Returns (n, B): -log of the softmax share of the own target over the temperature (TKC, Feng et al., ICCV 2021; a
    reconstruction).
    """
    logits = torch.einsum("bd,nkd->nbk", rows, targets) / temperature
    own = torch.arange(len(rows), device=rows.device) + offset
    return F.cross_entropy(logits.flatten(0, 1), own.repeat(len(targets)), reduction="none").view(len(targets), -1)


def weighted(losses: Tensor, log_importance: Tensor, bonus: float) -> Tensor:
    """Losses (n, B) weighted by importances, which sum to 1 over teachers, less bonus times their entropy. -> (B,)."""
    importance = log_importance.exp()
    return (importance * losses).sum(0) + bonus * (importance * log_importance).sum(0)


def mix_rows(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """N(weight * first + (1 - weight) * second) (MoCHi, Kalantidis et al., NeurIPS 2020, equations 4 to 6).

    first: (B, S or 1, D); second: (B, S, D); weight: (B, S).
    """
    weight = weight.to(second.dtype)[:, :, None]
    return F.normalize(weight * first + (1 - weight) * second, dim=2)


def triplet(queries: Tensor, keys: Tensor, negatives: Tensor, margin: float) -> Tensor:
    """max(0, |q - k| - |q - n| + margin) of each row, Euclidean distances: (B, D) three times -> (B,)."""
    return F.triplet_margin_loss(queries, keys, negatives, margin=margin, reduction="none")


def uniformity(rows: Tensor) -> Tensor:
    """log of the mean over pairs of exp(-2 ||z - z'||^2) of unit rows (B, D): lower is more uniform.

    Wang & Isola, ICML 2020, equation 2; -4 for vectors at right angles, 0 where all coincide.
    """
    pairs = len(rows) * (len(rows) - 1)
    near = (4 * (rows @ rows.T) - 4).exp()
    return ((near.sum() - near.diagonal().sum()) / pairs).log()
