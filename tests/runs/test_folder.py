"""The run folder: what it refuses, what it keeps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from twofold.errors import UserError
from twofold.runs.checkpoint import Checkpoint
from twofold.runs.folder import RunFolder, data_name

CONFIG = {
    "method": "moco",
    "batch_size": 8,
    "method_options": {"queue": 24, "head": "mlp"},
    "workers": 2,
    "milestones": (1, 2),
}


def reopen(path, **changes):
    RunFolder.open(path, {**CONFIG, **changes}, harmless=("workers",)).close()


def test_a_new_folder_holds_settings_and_environment(tmp_path):
    run = RunFolder.open(tmp_path / "a" / "b", CONFIG, environment={"command": "twofold"})
    assert yaml.safe_load((run.path / "config.yaml").read_text()) == {**CONFIG, "milestones": [1, 2]}
    assert json.loads((run.path / "environment.json").read_text()) == {"command": "twofold"}
    run.close()


def test_the_same_settings_take_up_the_run_whatever_is_harmless(tmp_path):
    reopen(tmp_path)
    reopen(tmp_path)
    reopen(tmp_path, workers=7)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["workers"] == 7


def test_other_settings_are_refused_naming_each_with_both_values(tmp_path):
    reopen(tmp_path)
    with pytest.raises(UserError) as refused:
        reopen(tmp_path, batch_size=16, method_options={"queue": 48, "head": "mlp"}, extra=True, workers=9)
    message = str(refused.value)
    assert "batch_size was 8 and is now 16" in message
    assert "method_options.queue was 24 and is now 48" in message
    assert "extra was not set and is now True" in message
    assert "head" not in message and "workers" not in message and "\n" not in message
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["batch_size"] == 8


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match=r"holiday\.jpg"):
        reopen(tmp_path)
    assert not (tmp_path / "config.yaml").exists()


def test_hidden_files_are_no_obstacle(tmp_path):
    (tmp_path / ".DS_Store").write_bytes(b"x")
    reopen(tmp_path)


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        reopen(tmp_path / "file")


def test_a_broken_config_is_refused(tmp_path):
    (tmp_path / "config.yaml").write_text("a: [1,")
    with pytest.raises(UserError, match=r"config\.yaml cannot be read"):
        reopen(tmp_path)


def other_process(path: Path, answers) -> None:
    try:
        reopen(path)
        answers.put("opened")
    except UserError as error:
        answers.put(str(error))


def test_two_processes_cannot_write_at_once(tmp_path, processes):
    answers = processes.Queue()

    def ask():
        process = processes.Process(target=other_process, args=(tmp_path, answers))
        process.start()
        process.join()
        return answers.get(timeout=30)

    run = RunFolder.open(tmp_path, CONFIG)
    assert "Another process is writing" in ask()
    run.close()
    assert ask() == "opened"


def test_processes_other_than_the_first_write_nothing(tmp_path, capsys):
    run = RunFolder.open(tmp_path / "run", CONFIG, writer=False)
    run.say("hello")
    run.list_unreadable({"a": "b"})
    run.save_arrays("views", views=np.zeros(1))
    run.add_evaluation([{"protocol": "knn"}])
    assert not (tmp_path / "run").exists()
    assert capsys.readouterr().out == ""


def test_sentences_go_to_the_screen_and_the_log(tmp_path, capsys):
    run = RunFolder.open(tmp_path, CONFIG)
    run.say("hello")
    run.note("only in the log")
    run.close()
    assert capsys.readouterr().out == "hello\n"
    log = (tmp_path / "log.txt").read_text()
    assert "hello" in log and "only in the log" in log


def test_results_of_one_question_take_the_old_ones_place(tmp_path):
    run = RunFolder.open(tmp_path, CONFIG)
    entry = {"protocol": "knn", "metric": "top1", "name": "moco", "data": "cells", "value": 0.5, "floor": False}
    run.add_evaluation([entry])
    run.add_evaluation([{**entry, "value": 0.75}, {**entry, "name": "raw pixels", "floor": True}])
    run.close()
    stored = json.loads((tmp_path / "evaluation.json").read_text())
    assert [(e["name"], e["value"]) for e in stored] == [("moco", 0.75), ("raw pixels", 0.5)]


def test_arrays_and_unreadable_files(tmp_path):
    run = RunFolder.open(tmp_path, CONFIG)
    run.save_arrays("gallery", features=np.ones((2, 3), np.float32), names=np.array(["a", "b"]))
    run.list_unreadable({"b.jpg": "truncated", "a.jpg": "empty"})
    run.close()
    with np.load(tmp_path / "gallery.npz", allow_pickle=False) as arrays:
        assert arrays["features"].shape == (2, 3) and list(arrays["names"]) == ["a", "b"]
    assert (tmp_path / "unreadable.txt").read_text() == "a.jpg\tempty\nb.jpg\ttruncated\n"


def test_a_run_of_before_the_kind_was_written_goes_on(tmp_path):
    reopen(tmp_path)
    reopen(tmp_path, kind="sounds")
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["kind"] == "sounds"
    with pytest.raises(UserError, match="kind was sounds and is now smells"):
        reopen(tmp_path, kind="smells")


def test_a_new_setting_that_is_not_given_does_not_end_old_runs(tmp_path):
    reopen(tmp_path)
    run = RunFolder.open(tmp_path, CONFIG)
    run.save(Checkpoint({}, {}, 1, 2, 3))
    run.close()
    again = RunFolder.open(tmp_path, {**CONFIG, "new": None, "kind": "sounds"})
    assert again.load() is not None
    again.close()


def test_other_data_is_refused_in_the_words_of_who_opens(tmp_path):
    RunFolder.open(tmp_path, CONFIG, environment={"fingerprint": "a"}).close()
    RunFolder.open(tmp_path, CONFIG, environment={"fingerprint": "a", "data": "9 sounds"}).close()
    with pytest.raises(UserError) as refused:
        RunFolder.open(tmp_path, CONFIG, environment={"fingerprint": "b"}, data="The data, or its split,")
    assert str(refused.value) == (
        f"The data, or its split, has changed since the run in {tmp_path} began (9 sounds): give a new --out."
    )
    assert json.loads((tmp_path / "environment.json").read_text())["fingerprint"] == "a"


@pytest.mark.parametrize("environment", ["", "[]", "{}", '{"data": "x"}'])
def test_a_run_that_does_not_say_which_data_goes_on(tmp_path, environment):
    reopen(tmp_path)
    (tmp_path / "environment.json").write_text(environment)
    RunFolder.open(tmp_path, CONFIG, environment={"fingerprint": "b"}).close()


def test_a_refusal_lets_the_folder_go(tmp_path, processes):
    reopen(tmp_path)
    answers = processes.Queue()
    with pytest.raises(UserError) as refused:
        reopen(tmp_path, batch_size=16)
    process = processes.Process(target=other_process, args=(tmp_path, answers))
    process.start()
    process.join()
    assert refused and answers.get(timeout=30) == "opened"


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    reopen(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    for name in (".config.1.part.yaml", "checkpoints/.last.1.part.ckpt"):
        (tmp_path / name).write_text("half")
    reopen(tmp_path)
    assert [p.name for p in tmp_path.rglob("*.part*")] == []


def begun(path, data="a", **environment):
    RunFolder.open(path, {"data": data, "val": "v"}, environment=environment, places=PLACES).close()


PLACES = {"data": "fingerprint", "val": "val_fingerprint"}


def test_another_place_and_time_of_the_same_content_are_said(tmp_path, capsys):
    begun(tmp_path, fingerprint="1", stamp="x")
    begun(tmp_path, "elsewhere/a", fingerprint="1", stamp="y")
    said = capsys.readouterr().out
    assert "data was a and is now elsewhere/a: the content is the same, so the run goes on." in said
    assert "other times of change" in said and (tmp_path / "log.txt").read_text().count("so the run goes on") == 2
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["data"] == "elsewhere/a"
    begun(tmp_path, "elsewhere/a", fingerprint="1", stamp="y")
    assert capsys.readouterr().out == ""
    with pytest.raises(UserError, match="data was elsewhere/a and is now a"):
        begun(tmp_path, fingerprint="2", stamp="y")
    with pytest.raises(UserError, match="has changed"):
        begun(tmp_path, "elsewhere/a", fingerprint="2", stamp="y")


def test_a_checkpoint_goes_with_the_data_to_another_place(tmp_path):
    run = RunFolder.open(tmp_path, {"data": "a"}, environment={"fingerprint": "1"}, places=PLACES)
    run.save(Checkpoint({}, {}, 1, 2, 3))
    run.close()
    run = RunFolder.open(tmp_path, {"data": "b"}, environment={"fingerprint": "1"}, places=PLACES)
    assert run.load() is not None
    run.close()


def test_a_record_of_0_1_0_is_of_names_sizes_and_times(tmp_path):
    begun(tmp_path, fingerprint="old")
    begun(tmp_path, fingerprint="new", stamp="old")
    begun(tmp_path, "b", fingerprint="new", stamp="copied")
    other = tmp_path / "other"
    begun(other, fingerprint="old")
    with pytest.raises(UserError, match="has changed"):
        begun(other, fingerprint="new", stamp="touched")


def test_a_place_of_which_nothing_is_recorded_must_be_the_same(tmp_path):
    begun(tmp_path, fingerprint="1")
    with pytest.raises(UserError, match="val was v and is now w"):
        RunFolder.open(
            tmp_path, {"data": "a", "val": "w"}, environment={"fingerprint": "1", "val_fingerprint": "2"}, places=PLACES
        )


def test_another_length_beside_another_setting_names_how_to_train_on(tmp_path):
    old, growing = {"epochs": 3, "lr": 1, "weights": None}, ("epochs",)
    RunFolder.open(tmp_path, old, growing=growing).close()
    with pytest.raises(UserError, match=r"epochs was 3 and is now 4; lr was 1 and is now 2.* --epochs 4 --weights "):
        RunFolder.open(tmp_path, {**old, "epochs": 4, "lr": 2}, growing=growing)
    without = {"epochs": 3, "lr": 1}  # a kind of data may have no such option
    RunFolder.open(tmp_path / "other", without, growing=growing).close()
    for folder, other in ((tmp_path, {**old, "lr": 2}), (tmp_path / "other", {"epochs": 4, "lr": 2})):
        with pytest.raises(UserError) as refused:
            RunFolder.open(folder, other, growing=growing)
        assert "--weights" not in str(refused.value)


def test_before_anything_was_saved_a_run_may_be_asked_for_more(tmp_path):
    for epochs in (3, 4, 6):
        RunFolder.open(tmp_path, {"epochs": epochs}, environment={"command": f"{epochs}"}, growing=("epochs",)).close()
    kept = json.loads((tmp_path / "environment.json").read_text())
    assert kept == {
        "command": "6", "asked_before": [{"epochs": 3, "command": "3"}, {"epochs": 4, "command": "4"}]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("a/plays.csv.gz", "plays"), ("train.parquet", "train"), ("shard-{000..009}.tar", "shard-000..009"),
        ("my.plays.tsv", "my.plays"), ("data/", "data"), (".hidden", ".hidden"), ("s3://bucket/set.v2", "set.v2"),
    ],
)  # fmt: skip
def test_the_name_of_data_tells_versions_apart(data, name):
    assert data_name(data) == name


def test_a_folder_has_no_ending(tmp_path):
    for name in ("set.v1", "set.old"):
        (tmp_path / name).mkdir()
        assert data_name(str(tmp_path / name)) == name
