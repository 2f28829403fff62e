"""The plan: lengths, refusals, sentences."""

import pytest

from twofold.errors import UserError
from twofold.training.plan import Length, Plan


def test_epochs_and_steps_give_lengths():
    by_epochs = Plan(batch_size=32, epochs=4, lr=0.1).length(100)
    assert (by_epochs.steps, by_epochs.steps_per_epoch, by_epochs.epochs) == (12, 3, 4)
    by_steps = Plan(batch_size=32, steps=10, lr=0.1).length(100)
    assert (by_steps.steps, by_steps.epochs) == (10, 4)
    assert [by_steps.epoch(step) for step in (0, 2, 3, 9)] == [0, 0, 1, 3]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "epochs or steps"),
        ({"epochs": 1, "steps": 1}, "epochs or steps"),
        ({"epochs": 1, "base_lr": 0.1}, "base_lr"),
        ({"epochs": 0}, "epochs is 0"),
        ({"steps": -3}, "steps is -3"),
        ({"epochs": 1, "batch_size": 1}, "batch of 1"),
        ({"epochs": 1, "accumulate": 0}, "accumulate is 0"),
        ({"epochs": 1, "weight_decay": -1.0}, "weight_decay is -1"),
        ({"epochs": 1, "lr": float("nan")}, "lr is nan"),
        ({"epochs": 1, "log_every": 0}, "log_every is 0"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(UserError, match=message):
        Plan(**({"batch_size": 8, "lr": 0.1} | settings))


def test_a_batch_larger_than_the_data_is_refused_with_the_largest_that_fits():
    with pytest.raises(UserError, match="at most 10"):
        Plan(batch_size=16, epochs=1, lr=0.1).length(10)
    with pytest.raises(UserError, match="1 item, too few"):
        Plan(batch_size=2, epochs=1, lr=0.1).length(1)


def test_sentences_show_the_arithmetic():
    plan = Plan(batch_size=512, epochs=200, base_lr=0.03, warmup_epochs=10, weight_decay=5e-4)
    length, rate, optimizer = plan.describe(50_000)
    assert length == (
        "19,400 steps of 512 items = 200 epochs of 97 steps over 50,000 items "
        "(336 left out of each epoch, others each time)"
    )
    assert rate == "lr 0.06 = 0.03 x 512/256, warm-up over 970 steps, then along a cosine to 0"
    assert optimizer == "SGD, momentum 0.9, weight decay 0.0005"


def test_milestones_are_named_as_epochs():
    plan = Plan(batch_size=10, epochs=200, lr=0.03, schedule="step", milestones=(120, -40), optimizer="adam")
    _, rate, optimizer = plan.describe(100)
    assert rate == "lr 0.03, then x 0.1 at epochs 120, 160"
    assert optimizer == "Adam, weight decay 0.0001"


def test_rate_warms_up_over_epochs_and_steps_together():
    plan = Plan(batch_size=10, epochs=10, lr=1.0, warmup_epochs=1, warmup_steps=10, schedule="constant")
    length = Length(100, 10)
    assert [plan.rate(step, length) for step in (0, 10, 20)] == pytest.approx([0, 0.5, 1])
