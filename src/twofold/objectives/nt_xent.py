"""NT-Xent: the contrastive loss of SimCLR (Chen et al., ICML 2020, equation 1)."""

from __future__ import annotations

import torch
from torch import Tensor


def nt_xent(first: Tensor, second: Tensor, candidates: Tensor, offset: int, temperature: float) -> Tensor:
    """Each view picks its sibling among all other views: the mean of both directions, for every image.

    first, second: (B, D), the two views of B images. candidates: (2N, D), the first views of all N >= B images of the
    step, then their second views; rows offset..offset+B-1 of each half are `first` and `second`. Rows are compared as
    they come (normalise them first for the paper's cosine). Returns (B,); its mean is the paper's mean over 2B rows.
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
