"""Runs -> one HTML page that anyone can open, without a network. What a kind of data shows comes from its wing."""

import sys
from pathlib import Path
from typing import Any

from twofold.errors import UserError
from twofold.page.assemble import PAGE_FILE, build
from twofold.page.read import Run, read_run
from twofold.page.sections import Sections
from twofold.printable import say
from twofold.runs.config import read_config
from twofold.runs.results import FILE, add_results
from twofold.runs.tracking import track_later

__all__ = ["PAGE_FILE", "Run", "Sections", "build", "build_or_say", "keep_results", "read_run"]


def keep_results(run: Path, entries: list[dict[str, Any]], sections: Sections) -> None:
    """Put results into a run folder, its page unless the run wanted none, and its trackers; what cannot be written is
    said."""
    try:
        add_results(run, entries)
        config = read_config(run)
    except UserError as error:
        say(f"The run folder does not keep all of this: {error}", sys.stderr)
        return
    if (run / PAGE_FILE).exists() or config.get("report", True):
        try:
            build([run], run / PAGE_FILE, sections)
        except UserError as error:
            say(f"The run folder does not keep all of this: {error}", sys.stderr)
    try:
        track_later(run, config, entries, (FILE, PAGE_FILE))
    except UserError as error:
        say(f"Not every tracker gets this: {error}", sys.stderr)


def build_or_say(run: Path, sections: Sections) -> str:
    """Build the page of a run in its folder; a sentence with its place, or with the reason why there is none."""
    try:
        return f"report: {build([run], run / PAGE_FILE, sections)}"
    except UserError as error:
        return f"No report: {error}"
