"""A measurement that a signal interrupts: all is saved, and the same command measures first and ends as ever."""

from __future__ import annotations

import csv
import os
import signal

import pytest
import torch

from twofold.runs.checkpoint import Checkpoint
from twofold.runs.metrics import is_time
from twofold.seam import Monitor
from twofold.training.distribution import make_fabric
from twofold.training.loop import train

from .small import Pictures, make_method, make_plan, make_run, two_views


class Long(Monitor):
    """Measures in three parts; in the second part of the measurement at step `at` a signal comes."""

    every_epochs = 1

    def __init__(self, at: int = 0, number: int = signal.SIGTERM) -> None:
        self.at, self.number = at, number
        self.parts: list[tuple[int, int]] = []

    def __call__(self, method, progress):
        for part in range(3):
            self.parts.append((progress.step, part))
            if progress.step == self.at and part == 1:
                os.kill(os.getpid(), self.number)
            self.on_progress(part + 1, 3)
        return {"measured": float(sum(weight.detach().sum() for weight in method.parameters()))}


def go(folder, monitor, **settings):
    method, plan = make_method("simclr"), make_plan(log_every=100, save_every=1000.0, **settings)
    run = make_run(folder, plan)
    try:
        return method, train(method, Pictures(), two_views, plan, run, make_fabric(1, accelerator="cpu"), [monitor])
    finally:
        run.close()


def rows(folder):
    with (folder / "metrics.csv").open() as handle:
        return [{k: v for k, v in row.items() if not is_time(k)} for row in csv.DictReader(handle)]


@pytest.mark.parametrize(("at", "number"), [(10, signal.SIGTERM), (15, signal.SIGINT)])
def test_a_signal_ends_a_measurement_between_its_parts(tmp_path, at, number):
    whole, _ = go(tmp_path / "whole", Long())
    monitor = Long(at, number)
    with pytest.raises(SystemExit) as left:
        go(tmp_path / "broken", monitor)
    assert left.value.code == 128 + number and monitor.parts[-1] == (at, 1)
    stored = Checkpoint.read(tmp_path / "broken" / "checkpoints" / "last.ckpt")
    assert (stored.step, stored.finished, stored.unmeasured["step"]) == (at, False, at)
    assert [row["step"] for row in rows(tmp_path / "broken")] == [str(step) for step in range(5, at, 5)]

    again = Long()
    method, outcome = go(tmp_path / "broken", again)
    assert again.parts[:3] == [(at, part) for part in range(3)]
    assert rows(tmp_path / "broken") == rows(tmp_path / "whole") and outcome.metrics["measured"]
    for name, value in whole.state_dict().items():
        assert torch.equal(method.state_dict()[name], value)
    finished = Checkpoint.read(tmp_path / "broken" / "checkpoints" / "last.ckpt")
    assert finished.finished and not finished.unmeasured


def test_a_kill_in_the_first_measurement_costs_no_step(tmp_path):
    class Killed(Exception):
        pass

    class Dying(Long):
        def __call__(self, method, progress):
            raise Killed

    with pytest.raises(Killed):
        go(tmp_path, Dying())
    again = Long()
    go(tmp_path, again)
    assert again.parts[0] == (5, 0) and [row["step"] for row in rows(tmp_path)] == ["5", "10", "15"]
