"""The loop: ends well, ends early, goes on."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
import time

import pytest
import torch

from twofold.errors import UserError
from twofold.seam import Monitor
from twofold.training import step
from twofold.training.distribution import make_fabric
from twofold.training.loop import train
from twofold.training.outcome import TrainingStopped

from .small import Pictures, make_method, make_plan, make_run, run_training, two_views


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def checkpoint(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


def test_a_run_fills_its_folder_and_learns(tmp_path):
    method, outcome = run_training(tmp_path, "simclr", epochs=12, lr=0.01, trackers="tensorboard")
    assert (outcome.steps, outcome.epochs, outcome.resumed_from, outcome.finished_before) == (60, 12, 0, False)
    table = rows(tmp_path)
    assert [int(r["step"]) for r in table] == list(range(2, 61, 2))
    assert float(table[-1]["loss"]) < float(table[0]["loss"])
    assert all(float(r["loss"]) == pytest.approx(float(r["loss/base"])) for r in table)
    assert float(table[0]["lr"]) == pytest.approx(0.01, rel=1e-2)
    assert {"seconds", "images_per_second", "wait_share", "spread", "effective_rank"} <= table[0].keys()
    assert any((tmp_path / "tensorboard").iterdir())
    stored = checkpoint(tmp_path)
    assert stored["step"] == 60
    assert all(torch.equal(stored["method"][k], v) for k, v in method.state_dict().items())


def test_a_finished_run_says_so_and_does_nothing(tmp_path, capsys):
    first, _ = run_training(tmp_path, "byol")
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.name in ("metrics.csv", "last.ckpt")}
    capsys.readouterr()
    second, outcome = run_training(tmp_path, "byol")
    assert outcome.finished_before and outcome.metrics["step"] == 15
    assert "finished: 15 steps of 15" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def test_steps_need_not_be_whole_epochs(tmp_path):
    _, outcome = run_training(tmp_path, "simsiam", epochs=None, steps=7)
    assert (outcome.steps, outcome.epochs) == (7, 2)
    assert [r["step"] for r in rows(tmp_path)] == ["2", "4", "6", "7"]


def test_views_and_images_of_a_step_are_a_function_of_the_step(tmp_path):
    seen = []

    def watched(batch, epoch):
        seen.append((epoch, batch.index.tolist()))
        return two_views(batch, epoch)

    plan = make_plan()
    fabric = make_fabric(1, accelerator="cpu")
    run = make_run(tmp_path, plan)
    train(make_method("simclr"), Pictures(), watched, plan, run, fabric)
    run.close()
    assert [epoch for epoch, _ in seen] == [0] * 5 + [1] * 5 + [2] * 5
    for epoch in range(3):
        assert sorted(i for e, index in seen if e == epoch for i in index) == list(range(40))


@pytest.mark.parametrize("settings", [{"lr": 1e30}, {"lr": 1e30, "log_every": 1000}, {"lr": 1e30, "clip": 1.0}])
def test_a_loss_that_is_not_finite_ends_the_run_with_the_last_good_checkpoint(tmp_path, settings):
    with pytest.raises(TrainingStopped, match="not finite") as stopped:
        run_training(tmp_path, "byol", **settings)
    message = str(stopped.value)
    assert "learning rate" in message and "\n" not in message
    assert message in (tmp_path / "log.txt").read_text()
    file = tmp_path / "checkpoints" / "last.ckpt"
    if file.exists():
        assert f"of step {checkpoint(tmp_path)['step']}" in message
        assert all(torch.isfinite(v).all() for v in checkpoint(tmp_path)["method"].values())
    else:
        assert "no checkpoint had been saved" in message


def test_bad_weights_never_replace_a_good_checkpoint(tmp_path):
    plan = make_plan(log_every=1000)
    method, images = make_method("byol"), Pictures()
    after = method.after_step

    def spoil(progress):
        after(progress)
        if progress.step == 6:
            with torch.no_grad():
                next(method.parameters())[0] = float("nan")

    method.after_step = spoil
    run = make_run(tmp_path, plan)
    with pytest.raises(TrainingStopped, match=r"weights are not finite after step 7; .* of step 6"):
        train(method, images, two_views, plan, run, make_fabric(1, accelerator="cpu"))
    run.close()
    assert checkpoint(tmp_path)["step"] == 6


class Counting(Monitor):
    every_epochs = 2

    def __init__(self):
        self.at = []

    def __call__(self, method, progress):
        self.at.append(progress.step)
        method.eval()
        return {"knn": 0.5}


def test_monitors_run_every_so_many_epochs_and_at_the_end(tmp_path):
    plan, monitor, method = make_plan(log_every=100), Counting(), make_method("simclr")
    run = make_run(tmp_path, plan)
    outcome = train(method, Pictures(), two_views, plan, run, make_fabric(1, accelerator="cpu"), [monitor])
    run.close()
    assert monitor.at == [10, 15] == [int(r["step"]) for r in rows(tmp_path)]
    assert outcome.metrics["knn"] == 0.5
    assert method.training


def test_other_data_of_another_size_is_refused(tmp_path):
    run_training(tmp_path, "simclr")
    with pytest.raises(UserError, match=r"40 images.*48"):
        run_training(tmp_path, "simclr", images=Pictures(48))


def test_a_batch_larger_than_the_data_is_refused_before_any_work(tmp_path):
    with pytest.raises(UserError, match="at most 40"):
        run_training(tmp_path, "simclr", batch_size=64)
    assert not (tmp_path / "checkpoints").exists()


def test_unreadable_files_are_listed(tmp_path):
    images = Pictures()
    images.listed = {"broken.jpg": "truncated"}
    run_training(tmp_path, "simclr", images=images)
    assert (tmp_path / "unreadable.txt").read_text() == "broken.jpg\ttruncated\n"


class Slow(Pictures):
    """Takes its time; from the seventh batch on, the disk takes no file as large as a checkpoint, where so told."""

    def __init__(self, full):
        super().__init__()
        self.full = full

    def stream(self, index_batches, epochs=()):
        for count, batch in enumerate(super().stream(index_batches), start=1):
            time.sleep(0.01)
            if self.full and count == 7:
                resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
            yield batch


def long_run(folder, full=False):
    torch.set_num_threads(1)
    try:
        run_training(folder, "byol", images=Slow(full), epochs=400)
    except TrainingStopped as stopped:
        (folder / "message").write_text(str(stopped))
        raise SystemExit(1) from stopped


def wait_for(file, process):
    deadline = time.monotonic() + 60
    while not file.exists() and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert file.exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_and_leave(tmp_path, processes, number, code):
    process = processes.Process(target=long_run, args=(tmp_path,))
    process.start()
    wait_for(tmp_path / "checkpoints" / "last.ckpt", process)
    os.kill(process.pid, number)
    process.join(timeout=60)
    assert process.exitcode == code
    step = checkpoint(tmp_path)["step"]
    assert 0 < step < 2000
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert (outcome["ended"], outcome["steps"]) == ("stopped", step)
    name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    assert f"Stopped by {name} after step {step:,} of 2,000" in (tmp_path / "log.txt").read_text()


def test_a_full_disk_ends_the_run_with_one_sentence(tmp_path, processes):
    process = processes.Process(target=long_run, args=(tmp_path, True))
    process.start()
    process.join(timeout=120)
    assert process.exitcode == 1
    message = (tmp_path / "message").read_text()
    assert message.startswith(str(tmp_path)) and "its disk is full" in message and "of step 6" in message
    assert checkpoint(tmp_path)["step"] == 6


def test_a_failure_of_the_work_itself_is_not_hidden(tmp_path, monkeypatch):
    def broken(*arguments, **settings):
        raise ValueError("a bug")

    monkeypatch.setattr(step, "set_rate", broken)
    with pytest.raises(ValueError, match="a bug"):
        run_training(tmp_path, "simclr")


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path):
    run_training(tmp_path, "moco", epochs=1)
    file = tmp_path / "checkpoints" / "last.ckpt"
    stored = torch.load(file, weights_only=True)
    del stored["method"]["queue.rows"]
    torch.save(stored, file)
    with pytest.raises(UserError, match=r"does not fit.*queue\.rows") as refused:
        run_training(tmp_path, "moco", epochs=1)
    assert "\n" not in str(refused.value)


def test_other_versions_are_told(tmp_path, capsys):
    run_training(tmp_path, "simclr", epochs=1)
    file = tmp_path / "checkpoints" / "last.ckpt"
    stored = torch.load(file, weights_only=True)
    stored["versions"]["torch"] = "1.0"
    torch.save(stored, file)
    run_training(tmp_path, "simclr", epochs=1)
    assert "torch 1.0 -> " in capsys.readouterr().out


@pytest.mark.parametrize("name", ["threads", "processes"])
def test_another_number_of_threads_or_processes_is_told(tmp_path, capsys, name):
    run_training(tmp_path, epochs=2)
    file = tmp_path / "checkpoints" / "last.ckpt"
    content = torch.load(file, weights_only=True)
    here = content["versions"][name]
    content["step"], content["versions"][name] = 8, "64"
    torch.save(content, file)
    run_training(tmp_path, epochs=2)
    assert f"these have changed: {name} 64 -> {here}; numbers may differ." in capsys.readouterr().out


def test_the_stream_is_closed_where_the_run_ends_early(tmp_path):
    class Watched(Pictures):
        closed = False

        def stream(self, index_batches, epochs=()):
            try:
                yield from super().stream(index_batches)
            finally:
                self.closed = True

    images = Watched()
    with pytest.raises(TrainingStopped):
        run_training(tmp_path, "byol", images=images, lr=1e30)
    assert images.closed


class Content(Monitor):
    """A monitor that is content from the second epoch on."""

    every_epochs = 1

    def __call__(self, method, progress):
        self.enough = progress.epoch >= 2
        return {"measured": float(progress.epoch)}


def test_a_monitor_may_end_a_run_and_the_same_command_again_leaves_it_so(tmp_path, capsys):
    for again in (False, True):
        plan, method = make_plan(epochs=6), make_method("simclr")
        run = make_run(tmp_path, plan)
        outcome = train(method, Pictures(), two_views, plan, run, make_fabric(1, accelerator="cpu"), [Content()])
        run.close()
        assert (outcome.steps, outcome.epochs, outcome.finished_before) == (10, 2, again)
        assert json.loads((tmp_path / "outcome.json").read_text()) == {"ended": "enough", "steps": 10, "epochs": 2}
        assert checkpoint(tmp_path)["enough"] is True and rows(tmp_path)[-1]["measured"] == "2"
    message = capsys.readouterr().out
    assert message.count("Nothing more is gained: ended after step 10 of 30") == 1
    assert message.count("This run is finished: 10 steps") == 1
