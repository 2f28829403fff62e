"""Training on beyond the length that was asked for: the same bits as a run of that length, or a sentence."""

from __future__ import annotations

import json

import pytest
import torch

from twofold.errors import UserError
from twofold.runs.folder import RunFolder
from twofold.seam import Monitor, Progress
from twofold.training.asked import Asked
from twofold.training.distribution import make_fabric
from twofold.training.loop import train

from .small import Pictures, make_method, make_plan, two_views
from .test_resume import rows, state

GROWING = ("epochs", "steps", "patience")


def run(folder, name="simclr", monitors=(), patience=0, images=None, **settings):
    """A start of a run, as jobs open it."""
    plan, method = make_plan(**{"schedule": "constant", **settings}), make_method(name)
    config = {"method": name, "data": "photos/", "weights": None, "patience": patience, **vars(plan)}
    opened = RunFolder.open(folder, config, environment={"command": f"with {plan.epochs}"}, growing=GROWING)
    try:
        fabric = make_fabric(1, accelerator="cpu")
        return train(method, images or Pictures(), two_views, plan, opened, fabric, monitors)
    finally:
        opened.close()


class Enough(Monitor):
    """Has had enough so many epochs after the third."""

    every_epochs = 1

    def __init__(self, patience):
        self.patience = patience

    def __call__(self, method, progress):
        self.enough = bool(self.patience) and progress.epoch >= 3 + self.patience
        return {"measured": float(progress.epoch)}


def same(one, other):
    ours, theirs = state(one), state(other)
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("simclr", {"optimizer": "adam", "lr": 1e-3}),
        ("moco", {"warmup_epochs": 1.0}),
        ("simsiam", {"schedule": "step", "milestones": (2, 4)}),
        ("moco+unmix", {}),
    ],
    ids=["simclr", "moco", "simsiam", "unmix"],
)
def test_where_nothing_depends_on_the_length_it_ends_in_the_same_bits(tmp_path, name, settings):
    run(tmp_path / "on", name, epochs=3, **settings)
    outcome = run(tmp_path / "on", name, epochs=5, **settings)
    assert (outcome.resumed_from, outcome.steps, outcome.finished_before) == (15, 25, False)
    run(tmp_path / "straight", name, epochs=5, **settings)
    same(tmp_path / "on", tmp_path / "straight")
    at = [row["step"] for row in rows(tmp_path / "on")]
    assert at == [
        *map(str, range(2, 16, 2)),
        "15",
        *map(str, range(16, 26, 2)),
        "25",
    ]  # the end of each length is a row
    assert "Goes on with epochs 5; 3 were asked for before." in (tmp_path / "on" / "log.txt").read_text()
    assert "epochs: 5" in (tmp_path / "on" / "config.yaml").read_text()
    for _ in range(2):
        assert run(tmp_path / "on", name, epochs=5, **settings).finished_before
        kept = json.loads((tmp_path / "on" / "environment.json").read_text())["asked_before"]
        assert kept == [{"epochs": 3, "command": "with 3"}]


def test_steps_grow_as_well(tmp_path):
    run(tmp_path / "on", epochs=None, steps=6)
    run(tmp_path / "on", epochs=None, steps=11)
    run(tmp_path / "straight", epochs=None, steps=11)
    same(tmp_path / "on", tmp_path / "straight")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("simclr", {"schedule": "cosine"}),
        ("simclr", {"schedule": "step", "milestones": (2, -1)}),
        ("byol", {}),
        ("moco+co2", {}),
        ("moco+tkc", {}),
    ],
    ids=["cosine", "from-the-end", "byol", "co2", "tkc"],
)
def test_where_something_does_the_way_is_named_and_nothing_changes(tmp_path, name, settings):
    folder = tmp_path / "run"
    run(folder, name, epochs=3, **settings)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    with pytest.raises(UserError, match="cannot go on from 3 epochs to 5") as refused:
        run(folder, name, epochs=5, **settings)
    way = f"twofold pretrain --config {folder}/config.yaml --epochs 5 --weights {folder} --out {folder}-longer"
    assert str(refused.value).endswith(f"{way}.")
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    assert run(folder, name, epochs=3, **settings).finished_before


def test_a_run_that_another_setting_changed_too_is_refused(tmp_path):
    run(tmp_path, epochs=3)
    with pytest.raises(UserError, match=r"epochs was 3 and is now 5; lr was 0\.1 and is now 0\.2"):
        run(tmp_path, epochs=5, lr=0.2)
    with pytest.raises(UserError, match="epochs was 3 and is now 2"):
        run(tmp_path, epochs=2)


def test_data_that_are_not_kept_cannot_be_gone_on_with(tmp_path):
    class Gone(Pictures):
        open_ended = False

    run(tmp_path, epochs=3, images=Gone())
    with pytest.raises(UserError, match="cannot go on"):
        run(tmp_path, epochs=5)


def test_a_kill_before_the_first_save_of_the_longer_run_costs_nothing(tmp_path, monkeypatch):
    run(tmp_path / "on", epochs=3)
    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "load", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(tmp_path / "on", epochs=5)
    run(tmp_path / "on", epochs=5)
    run(tmp_path / "straight", epochs=5)
    same(tmp_path / "on", tmp_path / "straight")


@pytest.mark.parametrize(
    ("first", "then", "ends"),
    [((9, 1), (12, 1), 4), ((9, 1), (9, 3), 6), ((9, 1), (9, 0), 9), ((3, 2), (9, 2), 5), ((4, 1), (9, 3), 6)],
    ids=["more-epochs", "more-patience", "without-end", "not-yet", "both"],
)
def test_a_run_that_had_enough_ends_where_one_of_that_patience_does(tmp_path, capsys, first, then, ends):
    for folder, asked in (("on", [first, then]), ("straight", [then])):
        for epochs, patience in asked:
            made = run(tmp_path / folder, monitors=[Enough(patience)], patience=patience, epochs=epochs, log_every=5)
        assert made.epochs == ends
    stored = [tmp_path / which / "checkpoints" / "last.ckpt" for which in ("on", "straight")]
    ours, theirs = (torch.load(file, weights_only=True)["method"] for file in stored)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert rows(tmp_path / "on") == rows(tmp_path / "straight")
    assert ("Nothing more is gained" in (tmp_path / "on" / "log.txt").read_text().splitlines()[-1]) == (ends < 9)


def test_a_step_that_asks_for_the_length_is_noticed():
    now = Asked(3, 10, 1, 4, seed=5)
    assert (now.step, now.epoch, now.seed) == (3, 1, 5)
    now.generator("draw")
    assert not now.length_was_asked and isinstance(now, Progress)
    for ask in (lambda now: now.fraction, lambda now: now.steps, lambda now: now.epochs):
        now = Asked(3, 10, 1, 4)
        assert ask(now) and now.length_was_asked
