"""The loop goes on exactly where it was killed, and refuses what cannot be learned from."""

from __future__ import annotations

import os
import signal

import pytest
import torch
from torch import nn

from tests.images.finetuning.situations import tiny_detection, tiny_segmentation
from twofold.errors import UserError
from twofold.images.finetuning.training import Keeper, Work, batches_ahead, optimizer_of, train


def work(stop_at=None, how=None, steps=6, **settings):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
    told = []

    def batch_of(step):
        return torch.randn(5, 4, generator=torch.Generator().manual_seed(step)), step

    def loss_of(batch):
        told.append(batch[1])
        made.tally["steps"] = made.tally.get("steps", 0) + 1
        if batch[1] == stop_at:
            how()
        return model(batch[0]).square().mean()

    made = Work(
        model, tiny_segmentation(iterations=steps), batch_of, loss_of, lambda: told.append("prepared"), 3, **settings
    )
    return made, told


def states(made):
    return torch.cat([value.float().flatten() for value in made.model.state_dict().values()])


def interrupt():
    os.kill(os.getpid(), signal.SIGTERM)


class Killed(BaseException):
    pass


def kill():
    raise Killed


@pytest.mark.parametrize("how", [interrupt, kill])
def test_it_goes_on_to_the_very_same_bits(tmp_path, how, capsys):
    whole, told = work()
    train(whole, Keeper(None, "k"))
    assert told == ["prepared", *range(6)]
    broken, _ = work(stop_at=3, how=how)
    with pytest.raises((SystemExit, Killed)):
        train(broken, Keeper(tmp_path / "a.ckpt", "k", every=0))
    if how is interrupt:
        assert "Stopped by SIGTERM after step 4 of 6; everything is kept" in capsys.readouterr().out
    torch.manual_seed(99)
    again, told = work()
    progress = []
    train(again, Keeper(tmp_path / "a.ckpt", "k"), lambda *done: progress.append(done))
    assert progress == [(told[0], 6), *((step + 1, 6) for step in told)]
    assert told == ([4, 5] if how is interrupt else [3, 4, 5])
    assert torch.equal(states(again), states(whole))
    assert again.tally == {"steps": 6}


def test_a_stop_without_a_place_says_that_nothing_is_kept(capsys):
    broken, _ = work(stop_at=1, how=interrupt)
    with pytest.raises(SystemExit) as stop:
        train(broken, Keeper(None, "k"))
    assert stop.value.code == 143
    assert "nothing is kept, since there is no run folder and no --out" in capsys.readouterr().out


def test_draws_do_not_depend_on_what_was_drawn_before():
    first, second = work()[0], work()[0]
    train(first, Keeper(None, "k"))
    torch.rand(17)
    train(second, Keeper(None, "k"))
    assert torch.equal(states(first), states(second))


def test_the_callers_generator_is_left_alone():
    made, _ = work()
    torch.manual_seed(5)
    known = torch.rand(3)
    torch.manual_seed(5)
    train(made, Keeper(None, "k"))
    assert torch.equal(torch.rand(3), known)


def test_a_damaged_or_strange_checkpoint_is_refused_in_words(tmp_path):
    (tmp_path / "a.ckpt").write_bytes(b"PK nothing")
    with pytest.raises(UserError, match=r"a.ckpt cannot be read as a checkpoint: remove it to begin again."):
        train(work()[0], Keeper(tmp_path / "a.ckpt", "k"))
    train(work()[0], Keeper(tmp_path / "b.ckpt", "k"))
    with pytest.raises(UserError, match="cannot be read"):
        train(work()[0], Keeper(tmp_path / "b.ckpt", "other"))


def test_a_loss_that_is_no_number_ends_it_in_words(tmp_path):
    made, _ = work()
    nn.init.constant_(made.model[0].weight, float("nan"))
    with pytest.raises(UserError, match=r"The loss of quick is not finite in step 1 at a rate of 0\.02"):
        train(made, Keeper(None, "k"))


def test_fixed_statistics_stay_where_they_are():
    made, _ = work(fixed=True)
    train(made, Keeper(None, "k"))
    assert made.model[1].running_mean.tolist() == [0] * 8
    moving, _ = work()
    train(moving, Keeper(None, "k"))
    assert moving.model[1].running_mean.abs().sum() > 0


def test_batch_norms_own_weights_decay_only_where_said():
    plain, spared = (optimizer_of(work(decays_norms=decays)[0]) for decays in (True, False))
    assert [len(group["params"]) for group in plain.param_groups] == [6]
    assert [(len(g["params"]), g["weight_decay"]) for g in spared.param_groups] == [(4, 5e-4), (2, 0.0)]
    assert plain.param_groups[0]["momentum"] == 0.9


def test_the_rate_follows_the_preset():
    made, _ = work(steps=4)
    rates = []
    done = made.loss_of
    object.__setattr__(made, "preset", tiny_detection(iterations=4, drops=(2,), warmup=0, lr=0.5, weight_decay=0.0))
    original = torch.optim.SGD.step

    def step(optimizer, *given):
        rates.append(optimizer.param_groups[0]["lr"])
        return original(optimizer, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.SGD, "step", step)
        train(made, Keeper(None, "k"))
    assert rates == pytest.approx([0.5, 0.5, 0.05, 0.05])
    assert done is made.loss_of


def test_batches_come_in_order_and_errors_where_they_belong():
    with batches_ahead(lambda step: step * 10, range(2, 7)) as batches:
        assert list(batches) == [20, 30, 40, 50, 60]

    def broken(step):
        if step == 3:
            raise UserError("The picture three is broken: mend it.")
        return step

    with batches_ahead(broken, range(6)) as batches:
        assert [next(batches) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(UserError, match="three"):
            next(batches)
