"""The queue: a ring of past keys that serve as negatives (MoCo)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.randomness import generator


class Queue(nn.Module):
    """A first-in first-out ring of `length` unit rows; starts as normalised Gaussian noise, pointer at 0.

    Both the rows and the pointer are buffers, so checkpoints hold them. Batches of any size wrap around the end.
    """

    rows: Tensor
    pointer: Tensor

    def __init__(self, length: int, dim: int, seed: int = 0) -> None:
        super().__init__()
        noise = torch.randn(length, dim, generator=generator(seed, "queue"))
        self.register_buffer("rows", F.normalize(noise, dim=1))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Write keys (B, D) at the pointer, over the oldest rows, and move the pointer."""
        length = len(self.rows)
        keys = keys[-length:]
        places = (self.pointer + torch.arange(len(keys), device=keys.device)) % length
        self.rows[places] = keys.to(self.rows.dtype)
        self.pointer.copy_((self.pointer + len(keys)) % length)
