"""What trackers get of a run: every row once, over all starts and failures; what is measured; files; how it ended."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal

import pytest

from twofold import api
from twofold.page import keep_results
from twofold.runs import tracking
from twofold.runs.folder import RunFolder
from twofold.runs.tracking import TRACKERS_FILE, numbers_of

from ..trackers.ledger import install, lines, steps
from ..training.small import run_training

ENTRY = {"protocol": "lines", "metric": "length", "name": "moco", "value": 0.5, "settings": "all"}


def row(step, **more):
    return {"step": step, "loss": 1.0 / step} | more


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    install(tmp_path / "site", monkeypatch)
    return tmp_path / "run"


def opened(folder, log="ledger", **more):
    return RunFolder.open(
        folder, {"method": "moco", "log": log, "report": False}, harmless=("log",), trackers=log, **more
    )


def track(folder, checkpoint, steps, log="ledger", ended="finished"):
    """One start of a run that goes on from a checkpoint and logs these steps; ended: None where it is killed."""
    run = opened(folder, log)
    run.restore(checkpoint)
    for step in steps:
        run.log(row(step))
    if ended:
        run.finish(ended)
        run.close()
    else:
        run._claim.close()


def test_rows_settings_results_floors_and_the_end_arrive(ledger):
    run = opened(ledger)
    run.restore(0)
    run.log(row(1))
    run.log(row(2, accuracy=0.25))
    run.add_evaluation([ENTRY, ENTRY | {"name": "chance", "value": 0.125, "floor": True}])
    for name in ("evaluation.json", "not-there.html"):
        run.trackers.attach(name)
    run.finish("finished", steps=2)
    run.close()
    found = lines(ledger)
    assert found[0] == {"start": None, "settings": ["log", "method", "report"]}
    assert found[1:] == [
        {"file": "config.yaml"},
        {"step": 1, "numbers": {"loss": 1.0}},
        {"step": 2, "numbers": {"loss": 0.5, "accuracy": 0.25}},
        {"step": 2, "numbers": {"evaluation/lines/length/moco": 0.5, "floors/lines/length/chance": 0.125}},
        {"file": "evaluation.json"},
        {"ended": "finished"},
    ]


@pytest.mark.parametrize(("checkpoint", "logged"), [(0, [1, 2, 3]), (2, [3, 4]), (3, [4])], ids=str)
def test_no_step_comes_twice_after_a_kill(ledger, checkpoint, logged):
    track(ledger, 0, [1, 2, 3], ended=None)
    track(ledger, checkpoint, logged, ended=None)
    track(ledger, 0, [1, 2, 3, 4, 5])
    assert steps(ledger) == [1, 2, 3, 4, 5]
    assert [line["start"] for line in lines(ledger) if "start" in line] == [None, "page 1", "page 1"]


def test_a_row_that_a_kill_kept_from_the_tracker_comes_later(ledger):
    track(ledger, 0, [1, 2], ended=None)
    run = opened(ledger)
    run.restore(2)
    run.metrics.append(row(3))  # and no more
    run._claim.close()
    track(ledger, 3, [4])
    assert steps(ledger) == [1, 2, 3, 4]


def test_the_record_is_whole_after_every_row(ledger):
    run = opened(ledger, "ledger,tensorboard")
    run.restore(0)
    for step in (9, 10, 99, 100, 10**6):
        run.log(row(step))
        kept = json.loads((ledger / TRACKERS_FILE).read_text())
        assert kept == {"ledger": {"id": "page 1", "step": step}, "tensorboard": {"id": "tensorboard", "step": step}}
    run.close()


def test_a_link_in_the_place_of_the_record_is_not_followed(ledger, tmp_path):
    track(ledger, 0, [1], ended="stopped")
    shutil.move(ledger / TRACKERS_FILE, tmp_path / "elsewhere.json")
    before = (tmp_path / "elsewhere.json").read_text()
    (ledger / TRACKERS_FILE).symlink_to(tmp_path / "elsewhere.json")
    track(ledger, 1, [2])
    assert (tmp_path / "elsewhere.json").read_text() == before
    assert json.loads((ledger / TRACKERS_FILE).read_text())["ledger"]["step"] == 2


def test_a_tracker_that_is_named_later_gets_what_was_logged_before(ledger):
    track(ledger, 0, [1, 2, 3], log="none", ended="stopped")
    track(ledger, 3, [4])
    assert steps(ledger) == [1, 2, 3, 4]


def test_a_failure_in_the_middle_is_said_once_and_made_good(ledger, monkeypatch, capsys):
    monkeypatch.setattr(tracking, "REST", 0.0)
    run = opened(ledger)
    run.restore(0)
    run.log(row(1))
    (ledger / "down").touch()
    for step in (2, 3):
        run.log(row(step))
    run.add_evaluation([ENTRY])
    (ledger / "down").unlink()
    run.log(row(4))
    run.finish("finished")
    run.close()
    assert steps(ledger) == [1, 2, 3, 4]
    said = capsys.readouterr().out
    assert said.count("ledger cannot be logged to (no route to the ledger)") == 1


def test_what_never_arrives_is_counted(ledger, capsys):
    run = opened(ledger)
    run.restore(0)
    run.log(row(1))
    (ledger / "down").touch()
    for step in (2, 3, 4):
        run.log(row(step))
    run.add_evaluation([ENTRY])
    run.finish("finished")
    run.close()
    assert steps(ledger) == [1]
    assert "3 rows of metrics and 1 results or files did not reach ledger" in capsys.readouterr().out
    assert "did not reach ledger" in (ledger / "log.txt").read_text()
    assert (ledger / "metrics.csv").read_text().count("\n") == 5
    (ledger / "down").unlink()
    track(ledger, 4, [5])
    assert steps(ledger) == [1, 2, 3, 4, 5]  # a later start brings them


def test_one_that_is_down_all_the_time_is_begun_by_the_next_start(ledger, capsys):
    run = opened(ledger)
    (ledger / "down").touch()
    run.restore(0)
    run.log(row(1))
    run.close()
    assert not (ledger / "ledger.jsonl").exists() and not (ledger / TRACKERS_FILE).exists()
    (ledger / "down").unlink()
    track(ledger, 1, [2])
    assert steps(ledger) == [1, 2]


def test_only_the_process_that_writes_logs(ledger):
    run = opened(ledger, writer=False)
    run.restore(0)
    run.log(row(1))
    run.close()
    assert not (ledger / "ledger.jsonl").exists()


def test_results_of_one_name_are_told_apart_by_their_settings():
    two = [ENTRY, ENTRY | {"settings": "half", "value": 0.25}]
    assert numbers_of(two) == {"evaluation/lines/length/moco": 0.5, "evaluation/lines/length/moco half": 0.25}


@pytest.mark.parametrize("damaged", ["[", "[]", '{"ledger": {"id": 1, "step": "x"}}'], ids=["cut", "list", "types"])
def test_a_damaged_record_begins_anew(ledger, damaged):
    track(ledger, 0, [1, 2])
    (ledger / TRACKERS_FILE).write_text(damaged)
    track(ledger, 2, [3])
    assert [line["start"] for line in lines(ledger) if "start" in line] == [None, None]
    assert json.loads((ledger / TRACKERS_FILE).read_text()) == {"ledger": {"id": "page 1", "step": 3}}


def test_a_later_measurement_reaches_the_trackers_that_know_the_run(ledger, capsys):
    track(ledger, 0, [1, 2], log="tensorboard,ledger")
    before = len(lines(ledger))
    keep_results(ledger, [ENTRY], None)
    assert lines(ledger)[before:] == [
        {"start": "page 1", "settings": ["log", "method", "report"]},
        {"step": 2, "numbers": {"evaluation/lines/length/moco": 0.5}},
        {"file": "evaluation.json"},
        {"ended": "finished"},
    ]
    (ledger / "down").touch()
    keep_results(ledger, [ENTRY], None)
    assert "ledger cannot be logged to" in capsys.readouterr().err


def child(folder):
    def kill(run, numbers, log=RunFolder.log):
        log(run, numbers)
        if numbers["step"] == 9:
            os.kill(os.getpid(), signal.SIGKILL)

    RunFolder.log = kill
    train(folder)


def train(folder):
    run_training(folder, "simclr", trackers="ledger", log_every=3, save_every=0.0, epochs=4)


@pytest.mark.parametrize("lag", [0, 3])
def test_a_killed_training_logs_each_step_once_and_tells_how_it_ended(ledger, lag):
    process = multiprocessing.get_context("fork").Process(target=child, args=(ledger,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    if lag:  # the kill came after the row and before the next save
        (ledger / "checkpoints" / "last.ckpt").unlink()
    train(ledger)
    assert steps(ledger) == [3, 6, 9, 12, 15, 18, 20]
    assert lines(ledger)[-1] == {"ended": "finished"}


def test_an_error_that_ends_a_run_is_told(ledger):
    with pytest.raises(Exception, match="not finite"):
        run_training(ledger, "byol", trackers="ledger", lr=1e30)
    assert lines(ledger)[-1] == {"ended": "failed"}


def test_a_whole_run_of_pairs_with_evaluation_and_page(ledger, tmp_path):
    pairs = [f"u{user},i{(user * 7 + step * 5) % 20}" for user in range(16) for step in range(8)]
    (tmp_path / "plays.csv").write_text("user,item\n" + "\n".join(pairs) + "\n")
    options = {"out": str(ledger), "log": "tensorboard,ledger", "quiet": True}
    api.pretrain("popularity", str(tmp_path / "plays.csv"), **options)
    api.evaluate(str(ledger), str(tmp_path / "plays.csv"), at="3", quiet=True)
    found = lines(ledger)
    assert {"file": "report.html"} in found and {"file": "evaluation.json"} in found
    assert sum("ended" in line for line in found) == 2
    numbers = [name for line in found for name in line.get("numbers", {})]
    assert any(name.startswith("evaluation/") for name in numbers)
    assert any(name.startswith("floors/") for name in numbers)
