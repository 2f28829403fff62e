"""Every verb on a disk that refuses: one sentence, what can be had is had, nothing half written over a file."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from twofold.cli import main

from .disk import full_beyond, not_writable, without_root

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="its file systems")
SMALL = ["--backbone", "convnet", "--image-size", "16", "--batch-size", "8", "--save-every", "0", "--log-every", "1"]
PAIRS = ["--method.dim", "4", "--batch-size", "16", "--patience", "0", "--log-every", "1"]
# Verbs that write a file: the command, and the ending of the file.
FILES = {
    "evaluate": (["evaluate", "{images}", "{data}", "--protocols", "5nn", "--no-floors"], ".json"),
    "embed": (["embed", "{images}", "{data}"], ".parquet"),
    "export": (["export", "{images}", "--format", "safetensors"], ".safetensors"),
    "report": (["report", "{images}"], ".html"),
    "evaluate pairs": (["evaluate", "{pairs}", "{table}"], ".json"),
    "embed pairs": (["embed", "{pairs}", "items"], ".parquet"),
    "export pairs": (["export", "{pairs}"], ".faiss"),
    "recommend": (["recommend", "{pairs}"], ".parquet"),
    "similar": (["similar", "{pairs}", "i1,i2"], ".parquet"),
    "report pairs": (["report", "{pairs}"], ".html"),
    "report both": (["report", "{pairs}", "{images}"], ".html"),
}
# Verbs that fill a folder.
FOLDERS = {
    "pretrain": ["pretrain", "simsiam", "{data}", "--epochs", "2", *SMALL],
    "pretrain pairs": ["pretrain", "lightgcn", "{table}", "--epochs", "2", *PAIRS],
    "a formula": ["pretrain", "popularity", "{table}"],
    "compare": ["compare", "simsiam", "{data}", "--epochs", "1", "--seeds", "1", "--protocols", "5nn", *SMALL[:6]],
    "compare pairs": ["compare", "popularity", "{table}", "--seeds", "1"],
    "prepare": ["prepare", "{data}"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("made")
    pixels = np.random.default_rng(0).integers(0, 256, (24, 16, 16, 3), np.uint8)
    np.savez(place / "data.npz", images=pixels, labels=np.arange(24) % 2)
    rows = [f"u{u},i{(u + k) % 12}" for u in range(10) for k in range(5)]
    (place / "table.csv").write_text("user,item\n" + "\n".join(rows) + "\n")
    for verb, name in (("pretrain", "images"), ("pretrain pairs", "pairs")):
        assert main([*filled(FOLDERS[verb], place), "--out", str(place / name), "--quiet", "--no-report"]) == 0
    return place


@pytest.fixture
def place(made, tmp_path):
    return shutil.copytree(made, tmp_path / "made")


def filled(command, place):
    paths = {"{images}": "images", "{pairs}": "pairs", "{data}": "data.npz", "{table}": "table.csv"}
    return [str(place / paths[word]) if word in paths else word for word in command]


def unfinished(place):
    return [str(path) for path in place.rglob("*.part*")]


def sentence(capsys, *words):
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("twofold: ") and said.endswith(".\n"), said
    assert all(word in said for word in words), said


def needs(verb):
    if verb == "export pairs":
        pytest.importorskip("faiss")


@pytest.mark.parametrize("verb", FILES)
def test_a_full_disk_leaves_the_old_file(place, capsys, verb):
    needs(verb)
    command, ending = FILES[verb]
    out = place / f"out{ending}"
    out.write_text("old")
    with full_beyond(100):
        assert main([*filled(command, place), "--out", str(out)]) == 2
    sentence(capsys, str(out), "disk is full", "make room")
    assert out.read_text() == "old" and unfinished(place) == []


@pytest.mark.parametrize("verb", FILES)
def test_a_run_folder_that_may_only_be_read(place, capsys, verb):
    needs(verb)
    command, ending = FILES[verb]
    out = place / f"out{ending}"
    runs = [place / word.strip("{}") for word in command if word in ("{images}", "{pairs}")]
    kept = {path: path.read_bytes() for run in runs for path in run.rglob("*") if path.is_file()}
    with not_writable(runs[0]):
        assert main([*filled(command, place), "--out", str(out)]) == 0
    assert out.stat().st_size > 10
    said = capsys.readouterr().err
    assert (
        "The run folder does not keep all of this" in said and "Permission denied" in said
    ) or "evaluate" not in verb
    assert {path: path.read_bytes() for path in kept} == kept or len(runs) > 1
    if len(runs) > 1:
        return
    with not_writable(runs[0]):
        code = main(filled(command, place))
    if verb.startswith("evaluate"):
        assert code == 0 and "Permission denied" in capsys.readouterr().err
    else:
        assert code == 2
        sentence(capsys, str(runs[0]), "Permission denied")
    assert {path: path.read_bytes() for path in kept} == kept


def test_results_go_to_out_before_the_folder_is_tried(place, capsys):
    out = place / "results.json"
    with not_writable(place / "images"):
        assert main([*filled(FILES["evaluate"][0], place), "--out", str(out)]) == 0
    assert {row["protocol"] for row in json.loads(out.read_text())} == {"5nn"}
    assert "5nn top1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("verb", "size"),
    [*itertools.product(FOLDERS, (0, 2000, 20_000)), *itertools.product(("pretrain", "pretrain pairs"), (300, 6000))],
)
def test_a_disk_that_fills_up_at_any_moment_ends_in_one_sentence_and_the_same_command_goes_on(
    place, capsys, verb, size
):
    out = place / "out"
    command = [*filled(FOLDERS[verb], place), *([] if verb == "prepare" else ["--out"]), str(out)]
    with full_beyond(size):
        code = main(command)
    if code:
        sentence(capsys, "disk is full")
    assert unfinished(place) == []
    assert main(command) == 0
    capsys.readouterr()


@pytest.mark.parametrize("verb", FOLDERS)
def test_a_folder_that_may_only_be_read(place, capsys, verb):
    out = place / "out"
    out.mkdir()
    command = [*filled(FOLDERS[verb], place), *([] if verb == "prepare" else ["--out"]), str(out)]
    with not_writable(out):
        assert main(command) == 2
    sentence(capsys, str(out), "Permission denied")
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("verb", ["pretrain", "pretrain pairs"])
def test_a_finished_run_in_a_folder_that_may_only_be_read(place, capsys, verb):
    out = place / ("images" if verb == "pretrain" else "pairs")
    with not_writable(out):
        assert main([*filled(FOLDERS[verb], place), "--out", str(out)]) == 2
    sentence(capsys, str(out), "Permission denied")


@pytest.mark.parametrize("verb", FILES)
def test_impossible_places(place, capsys, verb):
    needs(verb)
    command, ending = FILES[verb]
    folder = place / f"folder{ending}"
    folder.mkdir()
    (folder / "report.html").mkdir()  # a page goes into a folder that is named
    long = place / f"{'x' * 300}{ending}"
    for out, word in ((folder, "folder"), (long, "too long"), (place / "data.npz" / f"a{ending}", "is a file")):
        assert main([*filled(command, place), "--out", str(out)]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and said.startswith("twofold: ") and word in said, said
    assert Path(folder / "report.html").is_dir() and unfinished(place) == []


@pytest.mark.parametrize("verb", ["evaluate", "embed", "export", "report", "recommend", "pretrain", "check"])
def test_impossible_names_of_what_is_read(place, capsys, verb):
    name = str(place / ("x" * 300))
    more = {"evaluate": [name], "embed": [name], "pretrain": ["x"]}.get(verb, [])
    command = [verb, "simsiam", name] if verb == "pretrain" else [verb, name, *more]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("twofold: ") and name in said, said


@pytest.mark.parametrize("verb", ["evaluate", "embed", "export", "report"])
def test_a_run_that_may_not_be_looked_into(place, capsys, verb):
    command = filled(FILES[verb][0], place)
    (place / "images").chmod(0)
    try:
        with without_root():
            assert main(command) == 2
    finally:
        (place / "images").chmod(0o755)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and str(place / "images") in said and "ermission denied" in said, said
