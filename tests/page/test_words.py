"""The words that the page puts to numbers."""

import math

from twofold.page.words import Noun, against, duration, number, percent, points

NBSP = "\u00a0"


def test_units():
    assert [percent(v).replace(NBSP, " ") for v in (0.98349, 0, 1, math.nan)] == [
        "98.3 %",
        "0.0 %",
        "100.0 %",
        "not finite",
    ]
    assert points(0.0946).replace(NBSP, " ") == "+9.5 points" and points(-0.02).replace(NBSP, " ") == "−2.0 points"
    said = [duration(s).replace(NBSP, " ") for s in (0, 45.4, 150, 3725, 90000, math.inf, -1)]
    assert said == ["0 s", "45 s", "2 min 30 s", "1 h 02 min", "1 d 01 h", "unknown", "unknown"]
    assert [number(v) for v in (1234.6, 12.345, 0.04567, 0, math.nan)] == ["1,235", "12.3", "0.0457", "0", "not finite"]


def test_nouns():
    assert [Noun("image", "images").a, Noun("clip", "clips").a] == ["an image", "a clip"]
    assert [Noun("clip", "clips").counted(n) for n in (0, 1, 2)] == ["0 clips", "1 clip", "2 clips"]


def test_against():
    assert against(0.9, "x", 0.92).replace(NBSP, " ") == "2.0 points below x"
    assert against(0.9, "x", 0.85).replace(NBSP, " ") == "5.0 points over x"
