"""An agent's run that is killed goes on to the same bits, its replay and its open game included, also where a piece of
its replay is damaged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

import twofold
from twofold.control.acting.online import Online
from twofold.errors import UserError

RUN = "import sys; from twofold.cli import main; sys.exit(main(sys.argv[1:]))"
LEARN = ["pretrain", "rainbow+rcrl", "twofold/Runner-v0", "--steps", "1500", "--save-every", "0.5", "--no-report"]
SMALL = ["--learn-start", "200", "--eval-every", "500", "--eval-episodes", "1", "--batch-size", "8", "--replay", "700"]


@pytest.mark.slow
def test_killed_and_started_again_it_ends_in_the_same_bits(tmp_path):
    command = [sys.executable, "-c", RUN, *LEARN, *SMALL, "--out"]
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "OMP_NUM_THREADS": "1"}}
    subprocess.run([*command, str(tmp_path / "whole")], check=True, **quiet)
    killed = 0
    while killed < 3:
        running = subprocess.Popen([*command, str(tmp_path / "parts")], **quiet)
        time.sleep(6)
        if running.poll() is not None:
            break
        running.send_signal(signal.SIGKILL)
        running.wait()
        killed += 1
    assert killed
    subprocess.run([*command, str(tmp_path / "parts")], check=True, **quiet)
    for name in ("agent.safetensors", "episodes.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


def learn(out, monkeypatch=None, stop=None):
    """A small run; stop: the update in which it ends by an error."""
    settings = {"steps": 120, "learn_start": 60, "eval_every": 120, "eval_episodes": 1, "batch_size": 8, "replay": 400}
    if stop is None:
        return twofold.pretrain("rainbow", "twofold/Runner-v0", out=out, report=False, **settings)
    heed = Online.heed

    def fails(self, batch, losses):
        if self.updates == stop:
            raise RuntimeError("stopped")
        heed(self, batch, losses)

    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="stopped"):
        patched.setattr(Online, "heed", fails)
        twofold.pretrain("rainbow", "twofold/Runner-v0", out=out, report=False, save_every=0, **settings)
    return out


def test_a_damaged_piece_of_the_replay_gives_way_to_the_checkpoint_before(tmp_path, monkeypatch, capsys):
    """What only the last checkpoint needs may be lost: a few steps are made again, and one sentence says which."""
    whole = learn(tmp_path / "whole")
    parts = learn(tmp_path / "parts", monkeypatch, stop=20)
    newest = sorted((parts / "replay").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:-40])
    capsys.readouterr()
    learn(parts)
    said = capsys.readouterr().out
    assert (
        f"{newest} is missing or damaged, so the checkpoint before is taken: what came after step 19, up to step 20"
        in said
    )
    assert "Going on from step 19 of" in said
    assert (parts / "checkpoints" / "last.ckpt.damaged").is_file()
    assert (whole / "agent.safetensors").read_bytes() == (parts / "agent.safetensors").read_bytes()


def test_a_damaged_piece_that_both_checkpoints_need_is_named(tmp_path, monkeypatch):
    parts = learn(tmp_path / "parts", monkeypatch, stop=20)
    oldest = sorted((parts / "replay").iterdir())[0]
    oldest.write_bytes(b"")
    before = sorted(file.name for file in (parts / "checkpoints").iterdir())
    with pytest.raises(UserError, match=rf"{oldest.name} is missing or damaged, and the checkpoint before cannot"):
        learn(parts)
    assert sorted(file.name for file in (parts / "checkpoints").iterdir()) == before
    (parts / "checkpoints" / "previous.ckpt").unlink()
    with pytest.raises(UserError, match="there is no checkpoint that does without it: give a new --out"):
        learn(parts)
