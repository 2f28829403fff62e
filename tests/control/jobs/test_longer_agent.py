"""An agent that is asked for more steps than before."""

from __future__ import annotations

import pytest

import twofold
from twofold.control.acting.online import Online
from twofold.errors import UserError

SMALL = {"learn_start": 40, "eval_every": 60, "eval_episodes": 1, "batch_size": 8, "replay": 400, "train_every": 2}


def learn(out, steps, method="sac", env="twofold/Reach-v0"):
    return twofold.pretrain(method, env, out=out, steps=steps, report=False, quiet=True, save_every=0, **SMALL)


def stopped(out, monkeypatch, update, **asked):
    """A run that an error ends in an update."""
    heed = Online.heed

    def fails(self, batch, losses):
        heed(self, batch, losses)
        if self.updates == update:
            raise RuntimeError("stopped here")

    with monkeypatch.context() as patched:
        patched.setattr(Online, "heed", fails)
        with pytest.raises(RuntimeError, match="stopped here"):
            learn(out, **asked)


def test_one_that_was_stopped_goes_on_to_the_bytes_of_a_longer_run(tmp_path, monkeypatch):
    stopped(tmp_path / "on", monkeypatch, 20, steps=100)
    learn(tmp_path / "on", 140)
    learn(tmp_path / "straight", 140)
    for name in ("agent.safetensors", "episodes.csv"):
        assert (tmp_path / "on" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()


def test_one_that_has_ended_kept_no_replay(tmp_path):
    learn(tmp_path, 100)
    with pytest.raises(UserError, match=r"cannot go on from 100 steps to 140 .*: give a new --out\."):
        learn(tmp_path, 140)


def test_one_whose_weights_follow_the_length_is_refused_at_any_time(tmp_path, monkeypatch):
    asked = {"method": "rainbow", "env": "twofold/Catch-v0"}
    stopped(tmp_path, monkeypatch, 20, steps=100, **asked)
    with pytest.raises(UserError, match="cannot go on from 100 steps to 140"):
        learn(tmp_path, 140, **asked)
