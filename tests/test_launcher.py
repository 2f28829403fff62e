"""Two processes: what one does for all is done once, the others get what it returns, or end as it does."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import twofold
from twofold.cli import main
from twofold.errors import UserError
from twofold.images.reading import open_source
from twofold.launcher import by_the_first, is_first_to_say, mistake_noted, note_mistake
from twofold.pixels import sharding
from twofold.pixels.reading import walking
from twofold.processes import world

WORLD = 2
SMALL = {"backbone": "resnet10", "image_size": 16, "batch_size": 8, "steps": 2, "devices": WORLD}


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("localhost", 0))
        return int(asked.getsockname()[1])


def one_of_two(rank: int, port: int, folder: Path, name: str) -> None:
    """Runs the function of that name as torchrun would; what it prints goes to a file."""
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": WORLD, "LOCAL_WORLD_SIZE": WORLD, "GROUP_RANK": 0}
    os.environ |= {key: str(value) for key, value in names.items()}
    os.environ |= {"TORCHELASTIC_RUN_ID": "here", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    os.chdir(folder)
    with Path(f"said-{rank}").open("w") as said, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            globals()[name](rank)
        finally:
            sys.stdout.flush()
            atexit._run_exitfuncs()  # which a forked process leaves out


@pytest.fixture
def in_two(tmp_path, processes):
    def run(name: str, codes: tuple[int, int] = (0, 0)) -> tuple[str, str]:
        given = free_port(), tmp_path, name
        started = [processes.Process(target=one_of_two, args=(rank, *given)) for rank in range(WORLD)]
        for process in started:
            process.start()
        for process in started:
            process.join(timeout=60)
        for process in started:
            process.kill()
        assert tuple(process.exitcode for process in started) == codes
        return (tmp_path / "said-0").read_text(), (tmp_path / "said-1").read_text()

    return run


def draw_photos(folder: Path) -> None:
    drawn = np.random.default_rng(0)
    for name in "ab":
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(8):
            pixels = drawn.integers(0, 255, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{i}.png")


def share_work(rank: int) -> None:
    def work() -> list[int]:
        assert "RANK" not in os.environ and "WORLD_SIZE" not in os.environ and world() == 1
        with open("worked", "a") as file:
            file.write("x")
        # What is done for all may do such work itself.
        return by_the_first("within", lambda: [1, 2])

    assert by_the_first("a list", work) == [1, 2] and by_the_first("a list", work) == [1, 2]
    assert os.environ["RANK"] == str(rank)
    if rank == 0:
        by_the_first("by the first alone", work)  # as in `if rank == 0`, which the others never ask for

    def mistake() -> None:
        raise UserError("There is nothing.")

    with pytest.raises(UserError, match="There is nothing"):
        by_the_first("a mistake", mistake)
    print("said" if is_first_to_say("the same") else "not said")


def test_the_first_works_and_all_get_what_it_returns(in_two, tmp_path):
    said = in_two("share_work")
    assert (tmp_path / "worked").read_text() == "xxx"
    assert sorted(said) == ["not said\n", "said\n"]


def list_files(rank: int) -> None:
    if rank == 1:
        walking._local = None
    assert len(by_the_first("much", lambda: bytes(20 << 20))) == 20 << 20
    for _ in range(2):
        source = open_source("photos", role="train")
        assert len(source) == 16 and source.skipped["hidden"] == 1


def test_the_first_lists_the_files_for_all(in_two, tmp_path):
    draw_photos(tmp_path)
    (tmp_path / "photos" / "a" / ".0.png").write_bytes(b"")
    in_two("list_files")


def break_down(rank: int) -> None:
    def work() -> None:
        raise KeyError("ours")

    by_the_first("work", work)


def test_where_the_first_breaks_down_the_others_end_quietly(in_two):
    assert in_two("break_down", (1, 1))[1] == ""


def meet_a_mistake(rank: int) -> None:
    if rank == 0:
        note_mistake()
        by_the_first("never asked for", lambda: None)
        os.read(os.open("gate", os.O_RDONLY), 1)  # the others meet here, so it stays until they are done
    else:
        while not mistake_noted():
            time.sleep(0.01)
        try:
            by_the_first("what the first no longer comes to", lambda: None)
        finally:
            Path("gate").write_bytes(b"x")


def test_nobody_waits_for_one_who_met_a_mistake(in_two, tmp_path):
    os.mkfifo(tmp_path / "gate")
    assert in_two("meet_a_mistake", (0, 2))[1] == ""


def test_alone_everything_is_as_ever():
    assert by_the_first("work", lambda: 7) == 7 and is_first_to_say("x") and not mistake_noted()


def share_features(rank: int) -> None:
    sharding.PART = 2
    settings = {"image_size": 16, "precision": "fp32", "batch_size": 2, "protocols": "knn"}
    rows = twofold.evaluate("random:resnet10", "photos", shard="auto", out="shared.json", **settings)
    print("writes", len(list(Path("photos-features").rglob("part-*.parquet"))))
    alone = twofold.evaluate("random:resnet10", "photos", quiet=True, **settings)
    assert rows and rows == alone == json.loads(Path("shared.json").read_text())


def test_all_extract_features_and_the_first_measures(in_two, tmp_path):
    draw_photos(tmp_path)
    said = in_two("share_features")
    assert all("writes 24" in one for one in said)
    assert "knn top1" in said[0] and "knn top1" not in said[1]


def every_verb(rank: int) -> None:
    run = str(twofold.pretrain("moco", "photos", out="run", **SMALL))
    rows = twofold.evaluate(run, "photos", protocols="knn")
    assert {row["protocol"] for row in rows} == {"knn"}
    vectors = twofold.embed(run, "photos")
    exported = twofold.export(run)
    assert all(path.is_file() for path in (vectors, exported, twofold.report(run)))
    assert twofold.check("photos")["usable"] == 16
    run = str(twofold.pretrain("lightgcn", "plays.csv", out="plays", steps=2, batch_size=8, devices=WORLD))
    assert len(twofold.evaluate(run, "plays.csv")) > 20
    assert all(path.is_file() for path in (twofold.embed(run, "items"), twofold.recommend(run), twofold.export(run)))
    assert twofold.pretrain("popularity", "plays.csv", out="popular").is_dir()
    assert main(["evaluate", "nothing", "photos"]) == 2
    assert main(["pretrain", "moco", "nowhere"]) == 2


def test_every_verb_is_done_once_and_after_what_it_needs(in_two, tmp_path):
    draw_photos(tmp_path)
    pairs = [f"u{u},i{u * i % 11}" for u in range(1, 9) for i in range(1, 7)]
    (tmp_path / "plays.csv").write_text("\n".join(["user,item", *pairs]) + "\n")
    first, second = in_two("every_verb")
    assert first.count("to learn from, 4 to test on") == first.count("16 vectors") == first.count("Report: ") == 1
    both = first + second
    assert both.count("nothing is no run folder") == both.count("nowhere does not exist") == 1
    assert len(second.splitlines()) <= 2 and "strides" not in both
    assert not list(tmp_path.rglob(".*.part*"))
