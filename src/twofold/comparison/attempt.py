"""Doing one part of a comparison so that its failure, and what it prints, stays its own."""

from __future__ import annotations

import contextlib
import io
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from twofold.errors import UserError
from twofold.files import is_disk_full


def attempt(do: Callable[[], None], out: Path) -> str:
    """Do it; the reason in a sentence where it fails, or ''. A full disk ends everything."""
    try:
        do()
    except UserError as error:
        if is_disk_full(error):
            raise
        return str(error)
    except Exception as error:
        # Hours of other runs must not end with one method's mistake; it may be one of the user's own.
        with contextlib.suppress(OSError), (out / "errors.txt").open("a", encoding="utf-8") as file:
            file.write(traceback.format_exc() + "\n")
        lines = str(error).strip().splitlines()
        return f"{type(error).__name__}{': ' + lines[0] if lines else ''} (all of it is in {out / 'errors.txt'})."
    return ""


@contextmanager
def indented(say: Callable[[str], None]) -> Iterator[None]:
    """What is printed meanwhile is said two spaces in, line by line."""

    class Lines(io.TextIOBase):
        def write(self, text: str) -> int:
            for line in text.splitlines():
                if line.strip():
                    with contextlib.redirect_stdout(screen):
                        say(f"  {line}")
            return len(text)

    screen = sys.stdout
    with contextlib.redirect_stdout(Lines()):
        yield
