"""The learning rate as a function of the step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

Kind = Literal["cosine", "cosine-epoch", "step", "constant"]


def factor(
    step: int,
    *,
    steps: int,
    steps_per_epoch: int = 1,
    schedule: Kind = "cosine",
    warmup_steps: float = 0,
    milestones: Sequence[int] = (),
    drop: float = 0.1,
) -> float:
    """What the peak learning rate is multiplied with at a step (from 0), in [0, 1].

    Warm-up grows linearly from 0. "cosine" falls to 0 at `steps`, step by step (SimCLR, BYOL); "cosine-epoch" is held
    during an epoch (MoCo, SimSiam); "step" falls by `drop` at each milestone, an epoch, counted from the end where
    negative (MoCo v1, W-MSE).
    """
    if step < warmup_steps:
        return step / warmup_steps
    epoch, epochs = step // steps_per_epoch, -(-steps // steps_per_epoch)
    if schedule == "cosine":
        return half_cosine((step - warmup_steps) / max(steps - warmup_steps, 1))
    if schedule == "cosine-epoch":
        warmup_epochs = warmup_steps / steps_per_epoch
        return half_cosine(max(epoch - warmup_epochs, 0) / max(epochs - warmup_epochs, 1))
    if schedule == "step":
        return drop ** sum(epoch >= (m if m >= 0 else epochs + m) for m in milestones)
    return 1.0


def half_cosine(done: float) -> float:
    """From 1 at 0 to 0 at 1 and beyond, along half a cosine."""
    return (1 + math.cos(math.pi * min(done, 1.0))) / 2


def peak_rate(
    batch_size: int, *, base_lr: float | None, lr: float | None, scaling: Literal["linear", "sqrt", "none"]
) -> tuple[float, str]:
    """The peak learning rate and its arithmetic as text, "lr 0.06 = 0.03 x 512/256"."""
    if lr is not None:
        return lr, f"lr {lr:.6g}"
    assert base_lr is not None
    if scaling == "linear":
        return base_lr * batch_size / 256, f"lr {base_lr * batch_size / 256:.6g} = {base_lr:.6g} x {batch_size}/256"
    if scaling == "sqrt":
        peak = base_lr * math.sqrt(batch_size)
        return peak, f"lr {peak:.6g} = {base_lr:.6g} x sqrt({batch_size})"
    return base_lr, f"lr {base_lr:.6g}"
