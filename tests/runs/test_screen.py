"""What a user sees while a run goes on."""

from __future__ import annotations

import io
import sys

import pytest

from twofold.runs import screen
from twofold.runs.screen import Display, duration, numbers

ROW = {"wait_share": 0.031, "loss": 2.25, "epoch": 1.5, "apples_per_second": 1234.5, "ripe": 0.875}


LINE = {
    "epoch": "epoch {:.4g}",
    "loss": "loss {:.4g}",
    "ripe": "ripe {:.1%}",
    "apples_per_second": "{:,.0f} apples/s",
    "wait_share": "{:.0%} waiting for data",
}


def test_numbers_in_the_order_in_which_they_are_asked_for():
    assert numbers(ROW, LINE) == "epoch 1.5, loss 2.25, ripe 87.5%, 1,234 apples/s, 3% waiting for data"
    assert numbers(ROW) == "epoch 1.5, loss 2.25, 3% waiting for data"
    assert numbers({}) == ""


@pytest.mark.parametrize(("seconds", "words"), [(3, "3 s"), (600, "10 min"), (3 * 3600 + 300, "3 h 05 min")])
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_plain_lines_come_now_and_then_and_at_the_end(capsys, monkeypatch):
    clock = iter([0.0, *range(1, 1000)])
    monkeypatch.setattr(screen.time, "monotonic", lambda: float(next(clock)))
    display = Display(30, shown=LINE)
    for done in range(1, 31):
        display.step(done, ROW)
    display.close()
    lines = capsys.readouterr().out.splitlines()
    assert 2 <= len(lines) <= 6
    assert lines[0].startswith("step ") and lines[0].endswith("left")
    assert lines[0].count(", ") == 5
    assert lines[-1].startswith("step 30 of 30: epoch 1.5") and "left" not in lines[-1]


def test_the_time_left_does_not_count_what_came_before_the_first_step(capsys, monkeypatch):
    """An hour until the first step, then 20 seconds for each."""
    clock = iter([0.0, 3600.0, 3600.0, *range(3620, 9000, 20)])
    monkeypatch.setattr(screen.time, "monotonic", lambda: float(next(clock)))
    display = Display(30, first=4)
    for done in (5, 6, 7):
        display.step(done, {"loss": 2.0} if done == 7 else {})
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "step 5 of 30"
    assert second.startswith("step 6 of 30: ") and second.endswith(" left")
    assert "h" not in second.partition(":")[2] and third.startswith("step 7 of 30: loss 2, ")


def test_a_quiet_display_says_only_what_matters(capsys):
    display = Display(2, quiet=True)
    display.step(2, ROW)
    display.say("hello")
    display.say("fire", important=True)
    display.close()
    assert capsys.readouterr().out == "fire\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_live_line_that_sentences_do_not_break(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    display = Display(10, shown=LINE)
    display.step(5, ROW)
    display.say("[a sentence]")
    display.step(10, ROW)
    display.close()
    seen = terminal.getvalue()
    assert "[a sentence]" in seen and "10/10" in seen and "ripe 87.5%" in seen
