"""Files are wholly there or not at all, also where the disk is full; the file system's refusals are one sentence."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from twofold.errors import UserError
from twofold.files import (
    beside,
    is_disk_full,
    is_unfinished,
    write_arrays,
    write_atomically,
    write_bytes,
    write_json,
    write_safetensors,
    write_text,
)


def left(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("failure", [RuntimeError("power cut"), KeyboardInterrupt(), SystemExit(143)])
def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path, failure):
    file = tmp_path / "deep" / "a.txt"
    write_text(file, "old")

    def fail(handle):
        handle.write(b"half")
        raise failure

    with pytest.raises(type(failure)):
        write_atomically(file, fail)
    with pytest.raises(type(failure)), beside(file) as part:
        part.write_bytes(b"half")
        raise failure
    assert file.read_text() == "old" and left(file.parent) == ["a.txt"]


def test_a_library_writes_to_a_hidden_path_with_the_ending_of_the_file(tmp_path):
    file = tmp_path / "new" / "table.v1.parquet"
    schema = pa.schema([("a", pa.int64())])
    with beside(file) as part, pq.ParquetWriter(part, schema) as writer:
        for i in range(3):
            writer.write_table(pa.table({"a": [i]}, schema=schema))
        assert part.parent == file.parent and part.suffix == ".parquet" and part.name.startswith(".")
        assert is_unfinished(part.name) and not file.exists()
    assert pq.read_table(file)["a"].to_pylist() == [0, 1, 2] and left(file.parent) == ["table.v1.parquet"]
    others = ("a.part", ".a.part", "a.1.part", ".DS_Store", "config.yaml.tmp", ".a.1.part.b.c")
    assert not any(map(is_unfinished, others))
    assert is_unfinished(".a.1.part")


def write_all(folder):
    tensors = {"b": torch.ones(2, 3).T, "a": torch.zeros(4, dtype=torch.float64)}
    write_safetensors(folder / "a.safetensors", tensors, dict.fromkeys("hgfedcba", "é"))
    write_arrays(folder / "a.npz", {"x": np.ones(3), "y": np.array(["a"])})
    write_json(folder / "a.json", {"b": [1]})
    write_bytes(folder / "a.bin", b"1")
    write_text(folder / "a.txt", "x\udcff")


def test_equal_content_gives_equal_bytes_with_the_mode_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        for name in ("one", "two"):
            write_all(tmp_path / name)
    finally:
        os.umask(before)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
        assert stat.S_IMODE(file.stat().st_mode) == 0o640, file.name
    assert (tmp_path / "one" / "a.txt").read_text() == "x\\xff"
    assert (tmp_path / "one" / "a.json").read_text() == '{\n "b": [\n  1\n ]\n}\n'
    with np.load(tmp_path / "one" / "a.npz", allow_pickle=False) as arrays:
        assert arrays["x"].tolist() == [1, 1, 1]


def test_tensors_are_read_back_as_they_were(tmp_path):
    shared = torch.randn(3, 4)
    tensors = {"b": shared.T, "a": shared, "half": shared.bfloat16(), "n": torch.tensor(3), "none": torch.zeros(0, 2)}
    for about in ({"backbone": '{"name": "é\\n"}', "a": ""}, None):
        write_safetensors(tmp_path / "a.safetensors", tensors, about)
        found = load_file(tmp_path / "a.safetensors")
        assert found.keys() == tensors.keys() and all(torch.equal(found[name], tensors[name]) for name in tensors)
        with safe_open(tmp_path / "a.safetensors", "pt") as file:
            assert file.metadata() == about


def save_much(file, answers):
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    try:
        write_atomically(file, lambda handle: torch.save({"a": torch.zeros(100_000)}, handle))
    except Exception as error:
        answers.put((type(error).__name__, is_disk_full(error), str(error)))


def test_torch_save_on_a_full_disk_is_told_as_such(tmp_path, processes):
    file = tmp_path / "last.ckpt"
    write_text(file, "old")
    answers = processes.Queue()
    process = processes.Process(target=save_much, args=(file, answers))
    process.start()
    name, full, message = answers.get(timeout=60)
    process.join()
    assert (name, full) == ("UserError", True) and f"{file} cannot be written (its disk is full)" in message
    assert file.read_text() == "old" and left(tmp_path) == ["last.ckpt"]


def test_other_errors_are_not_a_full_disk():
    assert not is_disk_full(FileNotFoundError(2, "no such file"))
    assert not is_disk_full(RuntimeError("unexpected"))
    assert is_disk_full(RuntimeError("write error in index.faiss: 0 != 1 (No space left on device)"))


def test_a_file_where_a_folder_should_be_and_the_reverse(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for path, said in [
        (tmp_path / "file" / "a.txt", "file is a file"),
        (tmp_path / "file" / "deep" / "a.txt", "Not a directory"),
        (tmp_path / "folder", "it is a folder"),
        (tmp_path / ("a" * 300), "File name too long"),
    ]:
        with pytest.raises(UserError, match=said) as refused:
            write_text(path, "x")
        assert str(refused.value).startswith(f"{path} cannot be written (") and str(refused.value).endswith(".")
    assert left(tmp_path) == ["file", "folder"] and left(tmp_path / "folder") == []


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match=r"Permission denied"):
        write_text(tmp_path / "a.txt", "x")


def test_errors_about_other_files_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), beside(tmp_path / "a.txt"):
        (tmp_path / "input").read_text()
    assert left(tmp_path) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="its devices")
def test_devices_are_written_to_and_stay_devices(tmp_path):
    write_text(tmp_path / ".." / ".." / os.devnull, "x")
    with pytest.raises(UserError, match=r"/dev/full cannot be written \(its disk is full"):
        write_text(type(tmp_path)("/dev/full"), "x")
    assert all(stat.S_ISCHR(os.stat(device).st_mode) for device in (os.devnull, "/dev/full"))
    code = "import pathlib; from twofold.files import write_text; write_text(pathlib.Path('/dev/stdout'), 'hello')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"hello"


LEAVING = """
import os, signal, sys
from pathlib import Path
from twofold.files import beside
number = int(sys.argv[2])  # which is ignored in the background of a shell, or under nohup
signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
with beside(Path(sys.argv[1])) as part:
    part.write_bytes(b"half")
    os.kill(os.getpid(), number)
    signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_nothing_half_written(tmp_path, number):
    (tmp_path / "a.parquet").write_bytes(b"before")
    done = subprocess.run(
        [sys.executable, "-c", LEAVING, tmp_path / "a.parquet", str(int(number))], capture_output=True
    )
    assert done.returncode == (-number if number == signal.SIGINT else 128 + number), done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]
    assert (tmp_path / "a.parquet").read_bytes() == b"before"


def test_handlers_are_put_back_and_those_of_others_let_be(tmp_path):
    with beside(tmp_path / "a"):
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with beside(tmp_path / "a"):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_who_stops_a_writer_hears_no_error_of_the_writer(tmp_path, stop):
    """A second Ctrl-C while a checkpoint is written: torch's writer trips over its own end on the way out."""

    def write(handle):
        try:
            raise stop
        finally:
            raise RuntimeError("unexpected pos 11747456 vs 11747344")

    (tmp_path / "last.ckpt").write_text("before")
    with pytest.raises(stop):
        write_atomically(tmp_path / "last.ckpt", write)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("last.ckpt", "before")]
