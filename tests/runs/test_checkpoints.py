"""Two checkpoints are kept: a damaged last one gives way to the one before it, and a kill leaves one whole."""

from __future__ import annotations

import os
import random
import time

import pytest
import torch

from twofold.errors import UserError
from twofold.runs.checkpoint import Checkpoint
from twofold.runs.checkpoints import Checkpoints
from twofold.runs.folder import RunFolder


def made(step):
    return Checkpoint({"w": torch.full((1000,), float(step))}, {}, step, 1000, 3)


@pytest.fixture
def kept(tmp_path):
    found = Checkpoints(tmp_path)
    for step in (1, 2, 3):
        found.save(made(step))
    return found


def refused(*paths):
    raise OSError(1, "not permitted")


def names(kept):
    return sorted(file.name for file in kept.last.parent.iterdir())


def test_the_last_one_and_the_one_before_it(kept):
    assert names(kept) == ["last.ckpt", "previous.ckpt"]
    assert Checkpoint.read(kept.previous).step == 2
    found, said = kept.load()
    assert found.step == 3 and said == ""


def cut(file):
    file.write_bytes(file.read_bytes()[:-300])


def empty(file):
    file.write_bytes(b"")


def bit(file):
    """In the middle of the tensor, where torch does not look."""
    data = bytearray(file.read_bytes())
    data[data.index(torch.full((1000,), 3.0).numpy().tobytes()) + 2000] ^= 1
    file.write_bytes(bytes(data))


def garbage(file):
    file.write_text("no checkpoint")


@pytest.mark.parametrize("damage", [cut, empty, bit, garbage])
def test_a_damaged_one_gives_way_and_is_put_aside(kept, damage):
    damage(kept.last)
    found, said = kept.load()
    assert found.step == 2 and float(found.method["w"][0]) == 2
    assert said == f"{kept.last} is damaged, and kept as last.ckpt.damaged; the one before it, of step 2, is taken."
    assert names(kept) == ["last.ckpt.damaged", "previous.ckpt"]
    again, said = kept.load()
    assert again.step == 2 and "is not there; the one before it, of step 2, is taken" in said
    kept.save(made(4))
    assert Checkpoint.read(kept.previous).step == 2 and kept.load()[0].step == 4


def test_where_both_are_damaged_the_last_one_is_named(kept):
    cut(kept.last)
    cut(kept.previous)
    with pytest.raises(UserError, match=r"last\.ckpt cannot be read"):
        kept.load()
    assert names(kept) == ["last.ckpt", "previous.ckpt"]


def test_nothing_is_nothing(tmp_path):
    assert Checkpoints(tmp_path / "none").load() == (None, "")


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_failed_write_leaves_the_last_one(kept, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", refused)
    for _ in range(2):
        with pytest.raises(Exception, match="no pickle"):
            kept.save(Checkpoint({"w": Trap()}, {}, 4, 9, 3))
        assert kept.load()[0].step == 3 and set(names(kept)) <= {"last.ckpt", "previous.ckpt"}
    kept.save(made(5))
    assert kept.load()[0].step == 5 and Checkpoint.read(kept.previous).step == 3


class Trap:
    def __reduce__(self):
        raise ValueError("no pickle")


def save_for_ever(folder, links):
    if not links:
        os.link = refused
    kept = Checkpoints(folder)
    for step in range(1, 10**6):
        kept.save(made(step))


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_kill_at_any_moment_leaves_a_whole_one(tmp_path, processes, links):
    drawn, last = random.Random(0), 0
    for _ in range(6):
        process = processes.Process(target=save_for_ever, args=(tmp_path, links))
        process.start()
        deadline = time.monotonic() + 30
        while not (tmp_path / "previous.ckpt").exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(drawn.uniform(0, 0.05))
        assert process.is_alive()
        process.kill()
        process.join()
        found = Checkpoints(tmp_path).load()[0]
        assert found is not None and float(found.method["w"][-1]) == found.step
        last = max(last, found.step)
    assert last > 1


def test_the_folder_says_so_and_goes_on(tmp_path, capsys):
    run = RunFolder.open(tmp_path, {"a": 1})
    for step in (1, 2):
        run.save(made(step))
    run.checkpoint_file.write_bytes(b"")
    assert run.load().step == 1
    run.close()
    assert "last.ckpt is damaged" in capsys.readouterr().out
    assert "last.ckpt is damaged" in (tmp_path / "log.txt").read_text()
