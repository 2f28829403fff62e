"""Checkpoints: read back what was written, refuse what is none, execute nothing."""

from __future__ import annotations

import pickle

import pytest
import torch

from twofold.errors import UserError
from twofold.runs.checkpoint import Checkpoint, all_finite


def test_written_and_read(tmp_path):
    state = {"w": torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last), "n": torch.tensor(3)}
    kept = Checkpoint(
        state, {"state": {}, "param_groups": []}, 3, 9, 40, 1.5, {"sums": {}, "counts": {}}, {"loss": 1.0}, "x"
    )
    kept.write(tmp_path / "a.ckpt")
    found = Checkpoint.read(tmp_path / "a.ckpt")
    assert torch.equal(found.method["w"], state["w"])
    assert found.method["w"].stride() == state["w"].stride()
    assert (found.step, found.steps, found.count, found.row, found.config) == (3, 9, 40, {"loss": 1.0}, "x")
    assert not found.finished


def test_a_file_of_format_1_is_read_under_the_new_names(tmp_path):
    old = {"format": 1, "method": {"w": torch.ones(2)}, "optimiser": {"state": {}}, "step": 3, "steps": 9, "images": 40}
    old |= {"seconds": 1.5, "meter": {}, "row": {"loss": 1.0}, "config": "of another rule", "versions": {"torch": "2"}}
    torch.save(old, tmp_path / "old.ckpt")
    found = Checkpoint.read(tmp_path / "old.ckpt")
    assert (found.optimizer, found.count, found.step, found.config) == ({"state": {}}, 40, 3, "")
    found.write(tmp_path / "new.ckpt")
    stored = torch.load(tmp_path / "new.ckpt", weights_only=True)
    assert stored["format"] == 4 and stored["count"] == 40 and not stored.keys() & {"optimiser", "images"}


class Trap:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_strangers_are_refused_and_not_executed(tmp_path, capsys):
    (tmp_path / "trap.ckpt").write_bytes(pickle.dumps({"format": 1, "a": Trap()}))
    torch.save({"format": 1, "a": Trap()}, tmp_path / "trap2.ckpt")
    torch.save({"model": torch.zeros(2)}, tmp_path / "other.ckpt")
    torch.save({"format": 5, "method": {}}, tmp_path / "later.ckpt")
    torch.save({"format": 2, "unknown": {}}, tmp_path / "unknown.ckpt")
    torch.save([1, 2], tmp_path / "list.ckpt")
    (tmp_path / "empty.ckpt").write_bytes(b"")
    whole = Checkpoint({"w": torch.zeros(50)}, {}, 1, 2, 3)
    whole.write(tmp_path / "whole.ckpt")
    (tmp_path / "cut.ckpt").write_bytes((tmp_path / "whole.ckpt").read_bytes()[:-200])
    for name in ("trap", "trap2", "other", "list", "empty", "cut", "later", "unknown"):
        with pytest.raises(UserError, match=rf"{name}\.ckpt"):
            Checkpoint.read(tmp_path / f"{name}.ckpt")
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_one_bad_number_is_seen(bad):
    good = {"a": torch.ones(3), "b": torch.ones(2, dtype=torch.float64), "c": torch.tensor(4), "d": torch.zeros(0)}
    assert all_finite(good)
    assert not all_finite(good | {"b": torch.tensor([1.0, bad], dtype=torch.float64)})
