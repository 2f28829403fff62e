"""TensorBoard: event files in the run's folder `tensorboard`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twofold.trackers.tracker import TrackedRun

FOLDER = "tensorboard"
TEXT = (".yaml", ".json")
MOST_TEXT = 2**16  # characters of a file that is shown as text


class TensorBoard:
    """Numbers as scalars, settings and results as text; of the page its place.

    Written from this thread: the library's own writer keeps a thread and a queue, for a row every few seconds.
    """

    writer: Any

    def start(self, run: TrackedRun) -> str:
        """Begin a further file of events."""
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import SessionLog

        folder = run.folder / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        before = sum(1 for _ in folder.iterdir())
        # The library names files by the second, and would empty one of the same name.
        self.writer = EventsWriter(str(folder / f"events.{before}"))
        if before and run.id is None:  # events of a version that kept no record of them, which come again
            self._write(0, session_log=SessionLog(status=SessionLog.START))
        return FOLDER

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write the numbers, and hold nothing back: what a killed process held would be lost."""
        from tensorboardX.summary import scalar

        for name, value in numbers.items():
            self._write(step, summary=scalar(name, value))
        self.writer.flush()

    def attach(self, file: Path) -> None:
        """Show a file as text where it is one."""
        from tensorboardX.summary import text

        whole = file.suffix in TEXT
        shown = f"```\n{file.read_text('utf-8')[:MOST_TEXT]}\n```" if whole else str(file)
        self._write(0, summary=text(file.name, shown))
        self.writer.flush()

    def finish(self, ended: str) -> None:
        """Close the file."""
        self.writer.close()

    def _write(self, step: int, **what: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self.writer.write_event(Event(step=step, wall_time=time.time(), **what))
