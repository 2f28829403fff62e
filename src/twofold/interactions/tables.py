"""A row for every user and every item: all that LightGCN learns."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn


class Tables(nn.Module):
    """Two tables of d columns. init: "normal" draws from N(0, 0.1^2), "xavier" within sqrt(6 / (rows + d)) of 0."""

    def __init__(self, users: int, items: int, width: int, init: Literal["normal", "xavier"]) -> None:
        super().__init__()
        self.width = width
        self.user, self.item = (nn.Parameter(torch.empty(rows, width)) for rows in (users, items))
        for table in (self.user, self.item):
            if init == "normal":
                nn.init.normal_(table, std=0.1)
            else:
                bound = math.sqrt(6 / (len(table) + width))
                nn.init.uniform_(table, -bound, bound)

    def forward(self) -> Tensor:
        """All rows, users first: (N, d)."""
        return torch.cat([self.user, self.item])
