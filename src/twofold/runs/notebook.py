"""Progress inside a notebook: one bar that moves, in the place of a line every ten seconds."""

from __future__ import annotations

import html
import sys
import time
from typing import Any

EVERY = 0.25  # seconds between two drawings


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    shell = sys.modules.get("IPython")
    found = shell.get_ipython() if shell is not None else None
    return found is not None and hasattr(found, "kernel")


class Bar:
    """A bar with words beside it, in the output of the cell that runs; call it with what is done and the total. The
    first call draws it."""

    def __init__(self, what: str = "") -> None:
        self.what = what
        self._drawn: Any = None
        self._due = 0.0

    def __call__(self, done: int, total: int, words: str = "") -> None:
        now = time.monotonic()
        if now < self._due and done < total:
            return
        self._due = now + EVERY
        from IPython.display import HTML, display

        shown = HTML(_markup(done, total, ", ".join(filter(None, [self.what, words]))))
        if self._drawn is None:
            self._drawn = display(shown, display_id=True)
        else:
            self._drawn.update(shown)


def _markup(done: int, total: int, words: str) -> str:
    bar = f'<progress value="{done}" max="{max(total, 1)}" style="width:16em;vertical-align:middle"></progress>'
    return f"<div>{bar} {done:,} of {total:,} <small>{html.escape(words)}</small></div>"
