"""Files are wholly there or not at all, also where the disk is full."""

from __future__ import annotations

import resource

import pytest
import torch

from twofold.files import is_disk_full, write_atomically, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    file = tmp_path / "deep" / "a.txt"
    write_text(file, "old")

    def fail(handle):
        handle.write(b"half")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_atomically(file, fail)
    assert file.read_text() == "old"
    assert [p.name for p in file.parent.iterdir()] == ["a.txt"]


def save_much(file, answers):
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    try:
        write_atomically(file, lambda handle: torch.save({"a": torch.zeros(100_000)}, handle))
    except Exception as error:
        answers.put((type(error).__name__, is_disk_full(error)))


def test_torch_save_on_a_full_disk_is_told_as_such(tmp_path, processes):
    file = tmp_path / "last.ckpt"
    write_text(file, "old")
    answers = processes.Queue()
    process = processes.Process(target=save_much, args=(file, answers))
    process.start()
    assert answers.get(timeout=60)[1] is True
    process.join()
    assert file.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


def test_other_errors_are_not_a_full_disk():
    assert not is_disk_full(FileNotFoundError(2, "no such file"))
    assert not is_disk_full(RuntimeError("unexpected"))
