"""The options of the toy wing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from twofold.catalog import options
from twofold.catalog.options import option


@dataclass(frozen=True, kw_only=True)
class Pretrain(options.Pretrain):
    """Options of training on numbers"""

    noise: float = option(0.1, above=0)
    """Spread of what is added to each number to make a view."""
    scale: Literal["none", "unit"] = option("unit")
    """Whether every column is brought to spread 1."""
