"""What a user sees while work goes on: a live line on a terminal, a bar in a notebook, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from twofold.printable import fitting, say, spelled_out
from twofold.runs.notebook import Bar, in_notebook

OnProgress = Callable[[int, int], None]  # called now and then with what is done and the total

PLAIN_SECONDS = 10.0
PATIENCE = 2.0

# Columns of a row of metrics that matter while waiting, in the order in which they are shown, and how.
SHOWN = {
    "epoch": "epoch {:.4g}",
    "loss": "loss {:.4g}",
    "items_per_second": "{:,.0f} items/s",
    "wait_share": "{:.0%} waiting for data",
}


class Display:
    """Progress of a run, for one process. `say` prints a sentence without disturbing the live line.

    The time left is told from the second step on: what comes before the first one's end, such as gathering what is
    learned from, does not come again. shown: how each column that is to be seen looks, in their order; see `SHOWN`.
    """

    def __init__(
        self, steps: int, *, first: int = 0, quiet: bool = False, shown: Mapping[str, str] | None = None
    ) -> None:
        self.steps, self.first, self.quiet = steps, first, quiet
        self.shown = SHOWN if shown is None else shown
        self.spoke = time.monotonic()
        self.begun: tuple[float, int] | None = None  # when the first step was behind, and how many were
        self.live: Any = None
        self.task: Any = None
        self.bar = Bar() if not quiet and in_notebook() else None
        if not quiet and sys.stdout.isatty():
            self._go_live()

    def say(self, text: str, important: bool = False) -> None:
        """A sentence for the user; a quiet display says only what is important."""
        if self.quiet and not important:
            return
        if self.live is not None:
            self.live.console.print(
                fitting(spelled_out(text), sys.stdout.encoding), markup=False, highlight=False, soft_wrap=True
            )
        else:
            say(text)

    def step(self, done: int, row: dict[str, float]) -> None:
        """`done` steps are behind; `row` holds the numbers last read."""
        if self.quiet:
            return
        self.begun = self.begun or (time.monotonic(), done)
        if self.live is not None:
            self.live.update(self.task, completed=done, numbers=numbers(row, self.shown))
        elif self.bar is not None:
            self.bar(done, self.steps, ", ".join(self._words(done, row, time.monotonic())))
        elif time.monotonic() - self.spoke >= PLAIN_SECONDS or done == self.steps:
            self.spoke = time.monotonic()
            parts = self._words(done, row, self.spoke)
            say(": ".join([f"step {done:,} of {self.steps:,}", *([", ".join(parts)] if parts else [])]))

    def _words(self, done: int, row: dict[str, float], now: float) -> list[str]:
        """The numbers that are to be seen, and the time left."""
        parts = [numbers(row, self.shown)] if row else []
        began, before = self.begun or (0.0, done)
        if before < done < self.steps:
            parts.append(f"{duration((now - began) / (done - before) * (self.steps - done))} left")
        return parts

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.live is not None:
            self.live.stop()
            self.live = None

    def _go_live(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.live = Progress(
            MofNCompleteColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            refresh_per_second=4,
        )
        self.task = self.live.add_task("", total=self.steps, completed=self.first, numbers="")
        self.live.start()


class Lines:
    """Progress of what takes long, as lines: the first after two seconds, the next every ten. Call it with what is done
    and the total."""

    def __init__(self, what: str, tell: Callable[[str], None]) -> None:
        self.what, self.tell = what, tell
        self.due = time.monotonic() + PATIENCE

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() >= self.due and done < total:
            self.due = time.monotonic() + PLAIN_SECONDS
            self.tell(f"{self.what}: {done:,} of {total:,}")


def numbers(row: Mapping[str, float], shown: Mapping[str, str] = SHOWN) -> str:
    """The numbers of a row that are to be seen, in a line."""
    return ", ".join(form.format(row[column]) for column, form in shown.items() if column in row)


def duration(seconds: float) -> str:
    """Seconds as a person says them: 45 s, 12 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def print_plainly(text: str, important: bool = False) -> None:
    """Say something where no display is open."""
    say(text)


@contextmanager
def progress_bar(what: str, quiet: bool = False) -> Iterator[OnProgress]:
    """on_progress(done, total), to be called now and then.

    On a terminal and in a notebook a bar appears after two seconds, elsewhere a line then, and one every ten seconds.
    """
    began = time.monotonic()
    if not quiet and in_notebook():
        shown = Bar(what)
        yield lambda done, total: shown(done, total) if time.monotonic() - began > PATIENCE else None
        return
    if quiet or not sys.stdout.isatty():
        lines = Lines(what, say)
        yield (lambda done, total: None) if quiet else lines
        return
    from rich.progress import Progress

    with Progress(transient=True) as bar:
        task = bar.add_task(what, total=None, visible=False)
        yield lambda done, total: bar.update(
            task, completed=done, total=total, visible=time.monotonic() - began > PATIENCE
        )
