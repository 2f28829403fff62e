"""Top-k accuracy."""

from __future__ import annotations

from torch import Tensor


def accuracies(scores: Tensor, labels: Tensor) -> dict[str, float]:
    """{"top1": share, "top5": share} (0..1) of scores (n, classes) against labels (n,); top5 only beyond 5 classes."""
    order = scores.topk(min(5, scores.shape[1]), dim=1).indices
    hits = order == labels[:, None]
    found = {"top1": hits[:, 0].double().mean().item()}
    if scores.shape[1] > 5:
        found["top5"] = hits.any(1).double().mean().item()
    return found
