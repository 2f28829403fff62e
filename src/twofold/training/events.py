"""TensorBoard events of a run, where tensorboardX is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Events:
    """Scalars for TensorBoard under `folder`; events of `first_step` and later that an earlier start left are void."""

    def __init__(self, folder: Path, first_step: int) -> None:
        self.writer: Any = None
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            return
        self.writer = SummaryWriter(str(folder), purge_step=first_step if first_step > 1 else None)

    def add(self, row: Mapping[str, float]) -> None:
        """The numbers of one row of metrics, by its step."""
        if self.writer is not None:
            for name, value in row.items():
                if name != "step":
                    self.writer.add_scalar(name, value, int(row["step"]))

    def close(self) -> None:
        """Write what is held back, and stop."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None
