"""Means of what the steps report, kept on the device and read once an interval."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from twofold.seam import Losses


class Meter:
    """Sums the loss, its terms and the method's scalars over steps; no step waits for the device.

    `first_bad` is the first step (counted from 1) whose loss was not finite, or 0.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.first_bad = torch.zeros((), dtype=torch.int64, device=device)

    @torch.no_grad()
    def add(self, losses: Losses, step: int) -> None:
        """Take in a step's losses; `step` counts from 1."""
        total = losses.total.detach()
        self._add("loss", total)
        for name, term in losses.terms.items():
            self._add(f"loss/{name}", term.value.detach())
        for name, value in losses.scalars.items():
            self._add(name, torch.as_tensor(value, device=self.device))
        fine = torch.isfinite(total) | (self.first_bad > 0)
        self.first_bad = torch.where(fine, self.first_bad, step)

    def _add(self, name: str, value: Tensor) -> None:
        value = value.to(torch.float64 if self.device.type != "mps" else torch.float32)
        self.sums[name] = self.sums[name] + value if name in self.sums else value
        self.counts[name] = self.counts.get(name, 0) + 1

    def read(self) -> dict[str, float]:
        """The means since the last reset, over all processes. The same on each of them."""
        if not self.sums:
            return {}
        means = torch.stack([self.sums[name] / self.counts[name] for name in self.sums])
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(means)
            means /= torch.distributed.get_world_size()
            torch.distributed.all_reduce(self.first_bad, torch.distributed.ReduceOp.MAX)
        return dict(zip(self.sums, means.tolist(), strict=True))

    def reset(self) -> None:
        """Begin a new interval."""
        self.sums, self.counts = {}, {}

    def state_dict(self) -> dict[str, Any]:
        """The open interval, for a checkpoint: so a resumed run logs the same as an uninterrupted one."""
        return {"sums": dict(self.sums), "counts": dict(self.counts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up an open interval."""
        self.sums = {name: value.to(self.device) for name, value in state["sums"].items()}
        self.counts = dict(state["counts"])
