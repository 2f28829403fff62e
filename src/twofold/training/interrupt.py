"""Ctrl-C and SIGTERM: finish the step, save, leave; a second Ctrl-C leaves at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupted(Exception):
    """A signal has come while something was measured that can be measured again."""


class Interrupt:
    """While entered, SIGINT and SIGTERM only set `signal`; the loop looks at it after each step.

    Outside the main thread, where Python delivers no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def look(self) -> None:
        """Raise Interrupted where a signal has come."""
        if self.signal:
            raise Interrupted

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal == signal.SIGINT and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number


def name_of(number: int) -> str:
    """The signal as a user knows it."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
