"""What the page shows of pretext tasks: read with care, counted right, and there in real runs."""

import subprocess
import sys

import numpy as np
import pytest

import twofold
from tests.videos.conftest import moving, write_video
from twofold.videos.report.answers import answers_sections, confusion, read_answers

SHOWN = np.zeros((3, 4, 16, 16, 3), np.uint8)


def write(path, **arrays):
    np.savez(path / "pretext.npz", **({"shown": SHOWN} | arrays))
    return path / "pretext.npz"


def test_a_table_of_answers():
    pairs = np.array([[0, 0]] * 3 + [[0, 2]] + [[3, 3]] * 2)
    table = confusion("pace", pairs)
    assert table.rows == [("1", [75, 0, 25, 0], 4), ("2", [0] * 4, 0), ("4", [0] * 4, 0), ("8", [0, 0, 0, 100], 2)]
    assert (table.right, table.majority, table.count) == ("83", "67", 6)


def test_sections_follow_what_is_there(tmp_path):
    assert answers_sections(None, 1.0) == [] and answers_sections(read_answers(write(tmp_path)), 1.0) == []
    boxes, field = np.full((5, 2, 4, 4), 0.4, np.float32), np.zeros((5, 2, 7, 7), np.float32)
    field[0, 0, 3, 3] = 5.0
    turns = np.ones((5, 2, 2), np.int64)
    kept = {"ctp_true": boxes, "ctp_told": boxes * 9, "cmd_true": field, "cmd_told": field, "cstp_turn": turns}
    answers = read_answers(write(tmp_path, **kept))
    tracks, motion, tables = answers_sections(answers, 1.0)
    assert [s.id for s in (tracks, motion, tables)] == ["tracks", "motion", "answers"]
    assert len(tracks.content) == 3 and all(uri.startswith("data:image/webp") for uri in tracks.content)
    arrow = motion.content[0].true[3 * 7 + 3]
    assert not arrow.still and arrow.to_x - arrow.x == pytest.approx(0.5 / 7) and arrow.to_y == arrow.y
    assert sum(not a.still for a in motion.content[0].true) == 1
    assert len(answers_sections(answers, 0.1)[0].content) == 2


@pytest.mark.parametrize(
    "arrays",
    [
        {"shown": SHOWN.astype(np.float32)},
        {"cstp_turn": np.full((3, 2), 4)},
        {"cstp_turn": np.zeros((3, 3))},
        {"cstp_time": np.zeros((0, 1, 2), np.int64)},
        {"ctp_true": np.zeros((3, 2, 5, 4), np.float32), "ctp_told": np.zeros((3, 2, 5, 4), np.float32)},
        {"ctp_true": np.zeros((3, 2, 4, 4), np.float32), "ctp_told": np.zeros((3, 1, 4, 4), np.float32)},
        {"ctp_true": np.full((3, 2, 4, 4), np.nan), "ctp_told": np.zeros((3, 2, 4, 4))},
        {"cmd_true": np.zeros((3, 2, 100, 1)), "cmd_told": np.zeros((3, 2, 100, 1))},
        {"cmd_true": np.zeros((1, 2, 4, 4)), "cmd_told": np.zeros((1, 2, 4, 4))},
        {"cmd_true": np.zeros((3, 2, 4, 4))},
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, arrays):
    with pytest.raises((ValueError, KeyError)):
        read_answers(write(tmp_path, **arrays))


@pytest.mark.parametrize(("method", "words"), [
    ("cstp", ["Answers of the tasks", "overlap in space", "the most frequent answer alone"]),
    ("ctp", ["Patches that were followed"]),
    ("cmd", ["Motion that was foretold"]),
])  # fmt: skip
def test_the_page_of_a_run_shows_its_task(tmp_path, method, words):
    for i in range(8):
        kind = "right" if i % 2 else "down"
        write_video(tmp_path / "films" / kind / f"{i}.mp4", moving(kind, i, 26), gop=6)
    settings = {
        "backbone": "r3d10-small",
        "epochs": 1,
        "batch_size": 4,
        "image_size": 32,
        "knn_every": 0,
        "quiet": True,
    }
    if method == "cmd":
        settings["method_options"] = {"dim": 16, "heads": 2, "hidden": 16, "width": 8}
    twofold.pretrain(method, str(tmp_path / "films"), out=str(tmp_path / "run"), **settings)
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert all(text in page for text in words)
    assert (tmp_path / "run" / "pretext.npz").is_file()


def test_the_first_of_two_processes_asks_alone(tmp_path):
    for i in range(8):
        write_video(tmp_path / "films" / f"{i}.mp4", moving("right", i, 16))
    words = ["pretrain", "cstp", str(tmp_path / "films"), "--out", str(tmp_path / "run"), "--backbone", "convnet3d"]
    words += ["--epochs", "1", "--batch-size", "4", "--image-size", "32", "--devices", "2", "--quiet", "--no-report"]
    done = subprocess.run([sys.executable, "-m", "twofold", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert read_answers(tmp_path / "run" / "pretext.npz").told["turn"].shape == (16, 2)
