"""The collapse watch warns once, late enough, and names causes that fit."""

from __future__ import annotations

import pytest
import torch

from twofold.training.watch import Watch, likely_causes

from .small import make_method, make_plan

HEALTHY = torch.randn(64, 16, generator=torch.Generator().manual_seed(0))
COLLAPSED = torch.ones(64, 16) + 0.01 * HEALTHY


def test_healthy_rows_raise_no_alarm():
    watch = Watch(make_method("simsiam"), make_plan())
    for done in range(100, 1000, 100):
        measured, warning = watch(HEALTHY, done, 1000)
        assert warning is None
    assert measured["spread"] > 0.9 and measured["effective_rank"] > 12


def test_a_collapse_is_named_once_after_two_readings():
    watch = Watch(make_method("moco+co2"), make_plan(lr=7.0))
    messages = [watch(COLLAPSED, done, 1000)[1] for done in (50, 99, 100, 110, 120)]
    assert [text is not None for text in messages] == [False, False, True, False, False]
    assert "spread 0.0" in messages[2] and "7" in messages[2] and "CO2 (0.3)" in messages[2]


def test_lost_directions_are_named_though_the_spread_is_healthy():
    watch, few = Watch(make_method("moco"), make_plan()), HEALTHY.clone()
    few[:, 3:] = 0
    assert watch(HEALTHY, 100, 1000)[1] is None
    messages = [watch(few, done, 1000)[1] for done in (200, 300, 400)]
    assert [text is not None for text in messages] == [False, True, False]
    assert "losing directions" in messages[1] and "of 16, highest so far 1" in messages[1]
    later = [watch(COLLAPSED, done, 1000)[1] for done in (500, 600, 700)]
    assert [text is not None for text in later] == [False, True, False] and "is collapsing" in later[1]


def test_networks_that_have_just_begun_are_left_alone():
    watch = Watch(make_method("moco"), make_plan())
    assert all(watch(COLLAPSED, done, 60)[1] is None for done in range(0, 50, 10))


def test_one_low_reading_is_no_alarm():
    watch = Watch(make_method("moco"), make_plan())
    readings = [watch(rows, 500, 1000)[1] for rows in (COLLAPSED, HEALTHY, COLLAPSED, HEALTHY)]
    assert readings == [None] * 4


def test_bf16_rows_and_a_single_channel_are_measured():
    watch = Watch(make_method("simclr"), make_plan())
    measured, _ = watch(HEALTHY.bfloat16(), 1, 10)
    assert measured["spread"] > 0.9
    watch(torch.ones(4, 1), 1, 10)


def test_causes_fit_the_method():
    without = likely_causes(make_method("byol"), make_plan())
    assert any("predictor" in cause for cause in without)
    contrasting = likely_causes(make_method("simclr"), make_plan(weight_decay=0.1))
    assert any("weight decay" in cause for cause in contrasting)
    assert not any("predictor" in cause for cause in contrasting)


def test_what_was_seen_goes_through_a_checkpoint():
    def reading(watch, rows, done):
        return watch(rows, done, 1000)[1]

    few = HEALTHY.clone()
    few[:, 3:] = 0
    whole, first = (Watch(make_method("moco"), make_plan()) for _ in range(2))
    for watch in (whole, first):
        reading(watch, HEALTHY, 100)
        reading(watch, few, 200)
    second = Watch(make_method("moco"), make_plan())
    second.load_state_dict(first.state_dict())
    assert reading(whole, few, 300) == reading(second, few, 300) is not None
    assert reading(second, few, 400) is None
    second.load_state_dict({})
    for wrong in ({"highest": "x", "low": {}, "warned": []}, {"highest": 1.0}):
        with pytest.raises(ValueError, match="cannot be meant"):
            second.load_state_dict(wrong)
