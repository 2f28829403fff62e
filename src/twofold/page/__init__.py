"""Runs -> one HTML page that anyone can open, without a network."""

from pathlib import Path

from twofold.errors import UserError
from twofold.page.page import build
from twofold.page.read import Run, read_run

__all__ = ["Run", "build", "build_or_say", "read_run"]


def build_or_say(run: Path) -> str:
    """Build the page of a run in its folder; a sentence with its place, or with the reason why there is none."""
    try:
        return f"report: {build([run], run / 'report.html')}"
    except UserError as error:
        return f"No report: {error}"
