"""Runs -> one HTML page that anyone can open, without a network. What a kind of data shows comes from its wing."""

from pathlib import Path

from twofold.errors import UserError
from twofold.page.assemble import PAGE_FILE, build
from twofold.page.read import Run, read_run
from twofold.page.sections import Sections

__all__ = ["PAGE_FILE", "Run", "Sections", "build", "build_or_say", "read_run"]


def build_or_say(run: Path, sections: Sections) -> str:
    """Build the page of a run in its folder; a sentence with its place, or with the reason why there is none."""
    try:
        return f"report: {build([run], run / PAGE_FILE, sections)}"
    except UserError as error:
        return f"No report: {error}"
