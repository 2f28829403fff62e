"""The learning rate as a function of the step."""

import math

import pytest

from twofold.training.schedule import factor, peak_rate


def test_warm_up_is_linear_from_zero_and_cosine_ends_at_zero():
    at = [factor(step, steps=100, warmup_steps=10) for step in (0, 5, 10, 55, 100, 200)]
    assert at == pytest.approx([0, 0.5, 1, 0.5, 0, 0])


def test_cosine_by_epoch_is_held_during_an_epoch():
    at = [factor(step, steps=12, steps_per_epoch=3, schedule="cosine-epoch") for step in range(12)]
    expected = [(1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4) for _ in range(3)]
    assert at == pytest.approx(expected)


def test_cosine_by_epoch_counts_a_begun_epoch():
    assert factor(10, steps=11, steps_per_epoch=5, schedule="cosine-epoch") == pytest.approx(
        (1 + math.cos(2.0943951)) / 2
    )


def test_steps_fall_at_milestones_and_negative_ones_count_from_the_end():
    def at(epoch):
        return factor(epoch * 2, steps=20, steps_per_epoch=2, schedule="step", milestones=(6, -2), drop=0.1)

    assert [at(e) for e in (0, 5, 6, 7, 8, 9)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_constant_is_constant_after_warm_up():
    assert [factor(s, steps=9, schedule="constant", warmup_steps=2) for s in (0, 1, 2, 8)] == [0, 0.5, 1, 1]


@pytest.mark.parametrize(
    ("settings", "rate", "text"),
    [
        ({"base_lr": 0.03, "lr": None, "scaling": "linear"}, 0.06, "lr 0.06 = 0.03 x 512/256"),
        ({"base_lr": 0.075, "lr": None, "scaling": "sqrt"}, 0.075 * math.sqrt(512), "lr 1.69706 = 0.075 x sqrt(512)"),
        ({"base_lr": 0.003, "lr": None, "scaling": "none"}, 0.003, "lr 0.003"),
        ({"base_lr": None, "lr": 0.2, "scaling": "linear"}, 0.2, "lr 0.2"),
    ],
)
def test_peak_rate_and_its_arithmetic(settings, rate, text):
    found, words = peak_rate(512, **settings)
    assert found == pytest.approx(rate)
    assert words == text
