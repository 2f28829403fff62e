"""TensorBoard events of a run, where tensorboardX is installed; an extra that never ends a run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FLUSH_SECONDS = 10.0


class Events:
    """Scalars for TensorBoard under `folder`; events of `first_step` and later that an earlier start left are void.

    Written from this thread: the library's own writer keeps a thread and a queue, for a row every few seconds.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        self.writer: Any = None
        self.flushed = time.monotonic()
        with contextlib.suppress(ImportError, OSError):
            from tensorboardX.event_file_writer import EventsWriter
            from tensorboardX.proto.event_pb2 import Event, SessionLog

            folder.mkdir(parents=True, exist_ok=True)
            writer = EventsWriter(str(folder / "events"))
            if first_step > 1:
                start = SessionLog(status=SessionLog.START)
                writer.write_event(Event(step=first_step, wall_time=time.time(), session_log=start))
            self.writer = writer

    def add(self, row: Mapping[str, float]) -> None:
        """The numbers of one row of metrics, by its step."""
        if self.writer is None:
            return
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import scalar

        step = int(row["step"])
        try:
            for name, value in row.items():
                if name != "step":
                    self.writer.write_event(Event(step=step, wall_time=time.time(), summary=scalar(name, value)))
            if time.monotonic() - self.flushed > FLUSH_SECONDS:
                self.flushed = time.monotonic()
                self.writer.flush()
        except OSError:
            self.close()

    def close(self) -> None:
        """Write what is held back, and stop."""
        writer, self.writer = self.writer, None
        if writer is not None:
            with contextlib.suppress(OSError):
                writer.close()
