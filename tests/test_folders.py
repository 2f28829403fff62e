"""A folder belongs to one process at a time, and to one kind of work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from twofold.errors import UserError
from twofold.folders import claim, sweep


def take(path: Path):
    return claim(path, "here.yaml", holds="bread", doing="baking in", advice="take another oven")


def test_a_new_an_empty_and_an_own_folder_can_be_had(tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "a" / "b", tmp_path / "empty"):
        with take(path) as claimed:
            assert claimed.path.is_dir()
            (path / "here.yaml").write_text("")
        (path / "crumbs").write_text("")
        take(path).close()


@pytest.mark.parametrize("name", [".DS_Store", ".last.123.part.ckpt", "config.yaml.tmp", "a.parquet.12.partial"])
def test_hidden_and_unfinished_files_are_no_obstacle(tmp_path, name):
    (tmp_path / name).write_text("")
    take(tmp_path).close()


def test_what_is_in_the_way_is_named_and_nothing_is_left(tmp_path):
    (tmp_path / "z.jpg").write_text("")
    (tmp_path / "holiday.jpg").write_text("")
    with pytest.raises(UserError) as refused:
        take(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path} is not empty and holds no bread (it has holiday.jpg, but no here.yaml): take another oven."
    )
    assert len(list(tmp_path.iterdir())) == 2
    for path, message in ((tmp_path / "z.jpg", "z.jpg is a file"), (tmp_path / "z.jpg" / "deep", "Not a directory")):
        with pytest.raises(UserError, match=rf"The folder {path} cannot be made \(.*{message}\): take another oven\."):
            take(path)


def ask(path: Path, answers) -> None:
    try:
        take(path)
        answers.put("mine")
    except UserError as error:
        answers.put(str(error))


def test_another_process_is_refused_until_the_folder_is_let_go(tmp_path, processes):
    answers = processes.Queue()
    refusal = f"Another process is baking in {tmp_path}: wait for it, or take another oven."
    for held, expected in ((True, refusal), (False, "mine")):
        claimed = take(tmp_path)
        if not held:
            claimed.close()
        process = processes.Process(target=ask, args=(tmp_path, answers))
        process.start()
        process.join()
        assert answers.get(timeout=30) == expected
        claimed.close()


def test_a_lock_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(UserError, match=r"cannot be written to \(Is a directory"):
        take(tmp_path)


def test_sweeping_removes_what_was_left_half_written_and_nothing_else(tmp_path):
    kept = {"last.ckpt", ".lock", "notes.part", ".hidden"}
    for name in (*kept, f".last.{os.getpid()}.part.ckpt", ".a.1.part"):
        (tmp_path / name).write_text("")
    sweep(tmp_path, tmp_path / "missing")
    assert {p.name for p in tmp_path.iterdir()} == kept
