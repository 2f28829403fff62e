"""Names for images that have none."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any


class RowNames(Sequence[str]):
    """Names of the form file[row], made when asked for."""

    def __init__(self, files: list[str], bounds: list[int]) -> None:
        self.files, self.bounds = files, bounds

    def __len__(self) -> int:
        return self.bounds[-1]

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        i = range(len(self))[i]
        file = bisect_right(self.bounds, i) - 1
        return f"{self.files[file]}[{i - self.bounds[file]}]"
