"""The queue: a ring of past keys that serve as negatives (MoCo)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.randomness import generator


class Queue(nn.Module):
    """A first-in first-out ring of `length` unit rows; starts as normalised Gaussian noise, pointer at 0.

    Both the rows and the pointer are buffers, so checkpoints hold them. Batches of any size wrap around the end. How
    many slots are taken follows from these: all, once the last one holds something else than its noise.
    """

    rows: Tensor
    pointer: Tensor
    noise: Tensor

    def __init__(self, length: int, dim: int, seed: int = 0) -> None:
        super().__init__()
        noise = torch.randn(length, dim, generator=generator(seed, "queue"))
        self.register_buffer("rows", F.normalize(noise, dim=1))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))
        self.register_buffer("noise", self.rows[-1].clone(), persistent=False)

    def filled(self) -> Tensor:
        """How many slots hold keys, int64 (), by now."""
        return torch.where((self.rows[-1] == self.noise).all(), self.pointer, len(self.rows))

    def stored(self, mask_unfilled: bool) -> Tensor:
        """The rows (K, D); with the mask those that hold keys, of which there are none before the first batch."""
        return self.rows[: int(self.filled())] if mask_unfilled else self.rows

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Write keys (B, D) at the pointer, over the oldest rows, and move the pointer."""
        length = len(self.rows)
        keys = keys[-length:]
        places = (self.pointer + torch.arange(len(keys), device=keys.device)) % length
        self.rows[places] = keys.to(self.rows.dtype)
        self.pointer.copy_((self.pointer + len(keys)) % length)
