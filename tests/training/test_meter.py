"""Means over an interval, kept without waiting for the device."""

from __future__ import annotations

import math

import pytest
import torch

from twofold.seam import Losses, Term
from twofold.training.meter import Meter


def losses(base, extra=None, **scalars):
    terms = {"base": Term(1.0, torch.tensor(base))}
    if extra is not None:
        terms["extra"] = Term(0.5, torch.tensor(extra))
    return Losses(terms, torch.zeros(1, 1), {k: torch.tensor(v) for k, v in scalars.items()})


def test_means_of_loss_terms_and_scalars():
    meter = Meter(torch.device("cpu"))
    meter.add(losses(1.0, 4.0, top1=0.5), 1)
    meter.add(losses(2.0, 8.0, top1=1.0), 2)
    assert meter.read() == {"loss": 4.5, "loss/base": 1.5, "loss/extra": 6.0, "top1": 0.75}
    meter.reset()
    meter.add(losses(7.0), 3)
    assert meter.read() == {"loss": 7.0, "loss/base": 7.0}


def test_a_term_that_comes_late_is_averaged_over_its_own_steps():
    meter = Meter(torch.device("cpu"))
    meter.add(losses(1.0), 1)
    meter.add(losses(1.0, 6.0), 2)
    assert meter.read()["loss/extra"] == 6.0


def test_the_first_bad_step_is_remembered():
    meter = Meter(torch.device("cpu"))
    for step, value in enumerate([1.0, float("inf"), float("nan"), 1.0], start=11):
        meter.add(losses(value), step)
    assert int(meter.first_bad) == 12
    assert not math.isfinite(meter.read()["loss"])


def test_an_open_interval_goes_through_a_checkpoint():
    meter, again = Meter(torch.device("cpu")), Meter(torch.device("cpu"))
    meter.add(losses(1.25), 1)
    again.load_state_dict(meter.state_dict())
    for each in (meter, again):
        each.add(losses(2.0), 2)
    assert meter.read() == again.read() == {"loss": pytest.approx(1.625), "loss/base": pytest.approx(1.625)}
