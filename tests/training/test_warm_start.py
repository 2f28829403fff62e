"""Training on from another run: heads, twin and queue where they fit."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

import twofold
from tests.tiny import net_for
from twofold.methods.moco import MoCo
from twofold.runs.checkpoints import Checkpoints
from twofold.training.warm_start import start_from

SMALL = {"backbone": "convnet", "image_size": 16, "batch_size": 8, "quiet": True, "report": False, "knn_every": 0}
MOCO = {"method_options": {"queue": 16, "dim": 8}}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    drawn = np.random.default_rng(0)
    for i in range(24):
        Image.fromarray(drawn.integers(0, 255, (20, 20, 3), np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def first(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "first"
    return twofold.pretrain("moco", photos, out=out, steps=4, **SMALL, **MOCO)


def learned(run):
    return Checkpoints(run / "checkpoints").load()[0].method


def test_a_run_begins_where_the_other_ended(first, photos, tmp_path, capsys):
    still = {**SMALL, **MOCO, "lr": 1e-30, "weight_decay": 0.0, "steps": 1, "quiet": False}
    run = twofold.pretrain("moco", photos, out=tmp_path / "run", weights=str(first), **still)
    before, after = learned(first), learned(run)
    assert before.keys() == after.keys()
    for name in before:
        if not any(word in name for word in ("running", "num_batches", "queue")):
            away = 1e-2 if name.startswith("teacher") else 0  # which has made a step towards the student
            assert_close(after[name], before[name], atol=away, rtol=away, msg=name)
    kept = (before["queue.rows"] == after["queue.rows"]).all(1)
    assert kept.sum() == 8  # the other half of the queue are this step's keys
    assert "projector, queue, teacher backbone, teacher projector from there, too" in capsys.readouterr().out


def test_what_does_not_fit_as_a_whole_starts_anew(first):
    wider = MoCo(twofold.load(first).backbone, queue=16, dim=12)
    projector, rows = wider.student.projector[0].weight.clone(), wider.queue.rows.clone()
    assert start_from(wider, str(first)) == ["teacher backbone from there, too"]
    assert torch.equal(wider.student.projector[0].weight, projector) and torch.equal(wider.queue.rows, rows)
    assert wider.queue.filled() == 0
    for a, b in zip(wider.teacher.projector.parameters(), wider.student.projector.parameters(), strict=True):
        assert_close(a, b)


def test_a_twin_that_the_other_run_did_not_have_follows_the_student(first, photos, tmp_path):
    simple = twofold.pretrain("simclr", photos, out=tmp_path / "s", steps=2, **SMALL, method_options={"dim": 128})
    torch.manual_seed(0)
    method = MoCo(twofold.load(simple).backbone, queue=16, dim=128, head="mlp", key_bn="plain")
    start_from(method, str(simple))
    for copied, original in method.pairs:
        for a, b in zip(copied.state_dict().values(), original.state_dict().values(), strict=True):
            assert_close(a, b)


def test_files_and_words_have_nothing_more(first):
    method = MoCo(net_for("images"), queue=16, key_bn="plain")
    assert start_from(method, "random") == start_from(method, str(first / "backbone.safetensors")) == []
    assert start_from(method, str(first.parent)) == []
