"""CO2: defaults by where the negatives are, the ramp, the note, the alarm, what it refuses."""

from __future__ import annotations

import pytest

from twofold.errors import UserError
from twofold.methods.co2 import CO2
from twofold.methods.moco import MoCo
from twofold.seam import Progress, Situation

from .small import Tiny, made, views_of


def test_co2_refuses_a_base_without_negatives():
    with pytest.raises(UserError, match=r"BYOL has none"):
        made("byol", [CO2()])


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("moco", {}, (0.3, 0.05)),
        ("simclr", {}, (1.0, 1.0)),
        ("simclr", {"weight": 0.5}, (0.5, 1.0)),
        ("moco", {"temperature": 0.2}, (0.3, 0.2)),
    ],
)
def test_co2_is_gentler_in_the_batch(name, settings, expected):
    (addition,) = made(name, [CO2(**settings)]).additions
    assert (addition.weight, addition.temperature) == expected


def test_co2_ramp():
    addition = CO2(weight=2.0, ramp=0.5)
    method = MoCo(Tiny(), dim=8, queue=24, additions=[addition])
    weights = []
    for step in (0, 2, 5, 9):
        now = Progress(step, 10)
        method.before_step(now)
        weights.append(method(views_of(2), now).terms["co2"].weight)
    assert weights == pytest.approx([0.0, 0.8, 2.0, 2.0])


def test_a_large_weight_on_few_negatives_is_noted():
    risky = MoCo(Tiny(), dim=8, queue=64, additions=[CO2(weight=10.0)])
    assert any("collapsed" in note for note in risky.notes(Situation(count=1000, batch_size=8)))


def test_a_collapse_to_one_embedding_is_an_alarm():
    addition = CO2(weight=2.0)
    assert "a smaller weight than 2" in addition.alarms({"loss/co2": 0.01, "spread": 0.05})[0]
    assert addition.alarms({"loss/co2": 0.01, "spread": 0.5}) == addition.alarms({}) == []


def test_a_temperature_that_cannot_be_meant():
    with pytest.raises(UserError, match="temperature must be a number above 0"):
        CO2(temperature=-1.0)
