"""Names that a terminal obeys or that are no UTF-8: runs go on, lines stay lines, and files are still told apart."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from twofold.cli import main

SMALL = ["--backbone", "convnet", "--image-size", "16", "--batch-size", "8", "--steps", "2", "--max-unreadable", "0.5"]
BROKEN = {b"br\xf6ken": "br\\xf6ken", b"es\x1b[31mc": "es\\x1b[31mc", b"li\nne": "li\\x0ane", b"c\rr": "c\\x0dr"}
TURNED = {"rtl\u202egnp".encode(): "rtl\\u202egnp"}


@pytest.fixture
def photos(tmp_path):
    """Pictures in folders and under names of Latin-1, and broken files of every kind of strange name."""
    folder = tmp_path / os.fsdecode(b"data-\xe9")
    drawn = np.random.default_rng(0)
    for name in (b"caf\xe9", b"dog"):
        where = folder / os.fsdecode(name)
        where.mkdir(parents=True)
        for i in range(12):
            Image.fromarray(drawn.integers(0, 255, (20, 20, 3), np.uint8)).save(where / os.fsdecode(b"\xe9%d.png" % i))
    (folder / "dog" / "\\xe90.png").write_bytes((folder / "dog" / os.fsdecode(b"\xe90.png")).read_bytes())
    for name in {**BROKEN, **TURNED}:
        (folder / "dog" / os.fsdecode(name + b".png")).write_bytes(b"pAsSwOrD:x:0:0")
    return folder


def test_a_run_saves_goes_on_and_gives_vectors_by_name(photos, tmp_path, capsys):
    out = tmp_path / os.fsdecode(b"run-\xe9")
    command = ["pretrain", "simclr", str(photos), "--out", str(out), *SMALL]
    assert main(command) == 0 and main(command) == 0
    assert "is finished" in capsys.readouterr().out
    listed = (out / "unreadable.txt").read_text().splitlines()
    assert [line.split("\t")[0] for line in listed] == sorted(
        f"dog/{name}.png" for name in {**BROKEN, **TURNED}.values()
    )
    assert "pAsS" not in "".join(listed)
    page = (out / "report.html").read_bytes().decode()
    assert "caf\\xe9" in page or "caf\\\\xe9" in page

    vectors = tmp_path / os.fsdecode(b"vectors-\xe9.parquet")
    assert main(["embed", str(out), str(photos), "--out", str(vectors)]) == 0
    with vectors.open("rb") as file:
        table = pq.read_table(file)
    names = table["name"].to_pylist()
    assert len(set(names)) == len(names) == 25
    assert {"dog/\\xe90.png", "dog/\\x5cxe90.png", "caf\\xe9/\\xe90.png"} <= set(names)
    assert set(table["class"].to_pylist()) == {"caf\\xe9", "dog"}
    assert main(["evaluate", str(out), str(photos), "--protocols", "knn"]) in (0, 2)  # a fifth of them is unreadable


def test_a_strict_terminal_gets_what_it_can_hold(photos, tmp_path):
    for setting in ({"LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict"},):
        done = subprocess.run(
            [sys.executable, "-m", "twofold", "check", photos, "--max-unreadable", "0.5"],
            capture_output=True,
            env={**os.environ, **setting},
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.isascii() and not set(done.stdout) & set(b"\x1b\r\0")
        shown = done.stdout.decode()
        assert any(f"dog/{name}.png" in shown for name in BROKEN.values())


def test_what_a_list_names_is_not_quoted(tmp_path, capsys):
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "a.png")
    for start in ("", "P5 ", "P2\n", "BM", "\x89PNG\r\n\x1a\n", "GIF89a", "II*\0"):
        (tmp_path / "secret").write_bytes((start + "pAsSwOrD:x:0:0").encode("latin-1"))
        (tmp_path / "list.txt").write_text("a.png\nsecret\na\x1b[2Jb\n")
        assert main(["check", str(tmp_path / "list.txt"), "--max-unreadable", "1"]) == 0
        shown = capsys.readouterr().out
        assert "pAsS" not in shown and "\x1b" not in shown and "secret (" in shown and "a\\x1b[2Jb (" in shown


@pytest.fixture
def plays(tmp_path):
    """Pairs of users and items whose ids hold escape characters, in a file of a Latin-1 name."""
    file = tmp_path / os.fsdecode(b"plays-\xe9.csv")
    pairs = [f"u{u}\x1b[31m,i{u * i % 11}\u202e" for u in range(1, 9) for i in range(1, 7)]
    file.write_text("\n".join(["user,item", *pairs]) + "\n")
    return file


def test_interactions_of_strange_ids_and_paths(plays, tmp_path, capsys):
    out = tmp_path / os.fsdecode(b"run-\xe9")
    titles = tmp_path / "titles.csv"
    titles.write_text("item,title\n" + "".join(f"i{i}\u202e,a\x1b[2J title {i}\n" for i in range(11)))
    command = ["pretrain", "lightgcn", str(plays), "--out", str(out), "--epochs", "1", "--titles", str(titles)]
    assert main(command) == 0
    assert main(["recommend", str(out)]) == main(["embed", str(out), "items"]) == main(["report", str(out)]) == 0
    assert main(["evaluate", str(out), str(plays)]) == main(["check", str(plays)]) == 0
    assert main(["similar", str(out), "no\x1b[31msuch"]) == 2
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err and "\u202e" not in shown.out + shown.err
    page = (out / "report.html").read_text()
    assert "\x1b" not in page and "\u202e" not in page and "title 3" in page
    with (out / "recommendations.parquet").open("rb") as file:
        assert pq.read_table(file)["user"][0].as_py().endswith("\x1b[31m")  # an id is stored as it is


def test_a_folder_of_no_utf8_gives_a_run_folder_that_is(tmp_path, monkeypatch, photos):
    monkeypatch.chdir(tmp_path)
    assert main(["pretrain", "simclr", os.path.relpath(photos), *SMALL, "--no-report"]) == 0
    assert Path("runs/simclr-data-\\xe9/backbone.safetensors").is_file()
    assert main(["export", "runs/simclr-data-\\xe9", "--format", "safetensors"]) == 0
