"""A progress bar for work that may take longer than two seconds, and nothing for work that does not."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 2.0


@contextmanager
def watching(what: str, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """progress(done, total), to be called now and then; on a terminal a bar appears after two seconds."""
    if quiet or not sys.stdout.isatty():
        yield lambda done, total: None
        return
    from rich.progress import Progress

    began = time.monotonic()
    with Progress(transient=True) as bar:
        task = bar.add_task(what, total=None, visible=False)
        yield lambda done, total: bar.update(
            task, completed=done, total=total, visible=time.monotonic() - began > PATIENCE
        )
