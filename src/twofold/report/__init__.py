"""Runs -> one HTML page that anyone can open, without a network."""

from twofold.report.page import build
from twofold.report.read import Run, read_run

__all__ = ["Run", "build", "read_run"]
