"""`evaluate` shared out: the numbers of one process, whoever makes the features and however often they are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import twofold
from tests.videos.conftest import moving, write_video
from twofold.errors import UserError
from twofold.pixels import sharding

SETTINGS = {"image_size": 16, "precision": "fp32", "quiet": True, "batch_size": 4, "protocols": "knn,5nn,linear"}
WORK = f"""
import sys
import twofold
from twofold.pixels import sharding
sharding.PART = 5
twofold.evaluate("random:convnet", "photos", shard=sys.argv[1], **{SETTINGS!r})
"""


@pytest.fixture
def photos(tmp_path, monkeypatch):
    drawn = np.random.default_rng(0)
    for i in range(46):
        file = tmp_path / "photos" / "abc"[i % 3] / f"{i:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn.integers(0, 100 + 70 * (i % 3), (20, 20, 3), np.uint8)).save(file)
    (tmp_path / "photos" / "a" / "09.png").write_bytes(b"broken")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sharding, "PART", 5)
    return tmp_path / "photos"


def evaluate(**options):
    return twofold.evaluate("random:convnet", "photos", **(SETTINGS | options))


def contents(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("part-*.parquet"))}


def test_numbers_are_those_of_one_process_bit_by_bit(photos, capsys):
    expected = evaluate()
    assert len({row["name"] for row in expected}) == 4
    assert evaluate(shard="1/3", quiet=False) == []
    assert "16 parts are there" not in capsys.readouterr().out
    assert evaluate(shard="3/3", quiet=False) == []
    assert "the process that finds all of them measures" in capsys.readouterr().out
    assert evaluate(shard="2/3", out="numbers.json") == expected
    assert json.loads(Path("numbers.json").read_text()) == expected
    assert evaluate(shard="1/3") == expected, "whoever comes again finds all there"
    before = contents(Path("photos-features"))
    assert evaluate(shard="auto", protocols="knn") == [row for row in expected if row["protocol"] == "knn"]
    assert contents(Path("photos-features")) == before, "other protocols take the same features"


def test_parts_are_a_data_set_that_others_can_read(photos):
    evaluate(shard="auto")
    folders = sorted(folder.name.rpartition("-")[0] for folder in Path("photos-features").iterdir())
    assert folders == [f"{name}-{part}" for name in ("model", "pixels", "untrained") for part in ("test", "train")]
    bank, asked = (pq.read_table(next(Path("photos-features").glob(f"model-{part}-*"))) for part in ("train", "test"))
    assert bank.column_names == ["index", "name", "label", "embedding"]
    names = bank["name"].to_pylist() + asked["name"].to_pylist()
    assert sorted(names) == sorted(str(p.relative_to(photos)) for p in photos.rglob("*.png") if p.name != "09.png")


def test_other_settings_make_features_of_their_own(photos):
    evaluate(shard="auto", floors=False)
    assert evaluate(shard="1/2", floors=False, image_size=24) == []
    assert evaluate(shard="1/2", floors=False, labels=0.5) == [], "other images are learned from"


@pytest.mark.parametrize("change", [{"labels": 0.5}, {"seed": 1}, {"batch_size": 3}], ids=["labels", "seed", "batch"])
def test_features_that_are_there_are_taken_only_where_they_are_the_same(photos, change):
    evaluate(shard="auto", protocols="knn")
    assert evaluate(shard="auto", protocols="knn", **change) == evaluate(protocols="knn", **change)


def test_too_many_unreadable_images_end_it_whoever_reads_them(photos):
    for name in ("a/12.png", "a/15.png", "b/13.png"):
        (photos / name).write_bytes(b"broken")
    with pytest.raises(UserError, match=r"46 images, of which [34] cannot be read") as alone:
        evaluate()
    with pytest.raises(UserError, match=r"46 images, of which [34] cannot be read"):
        for i in (1, 2, 3, 1):
            evaluate(shard=f"{i}/3")
    assert str(alone.value).startswith("photos holds")


def test_a_part_that_is_damaged_is_named(photos):
    evaluate(shard="auto", floors=False)
    part = next(Path("photos-features").glob("model-train-*/part-00001-*"))
    data = part.read_bytes()
    part.write_bytes(data[:100])
    with pytest.raises(UserError, match=r"part-00001-of-.* cannot be read"):
        evaluate(shard="auto", floors=False)
    part.write_bytes(next(part.parent.glob("part-00002-*")).read_bytes())
    with pytest.raises(UserError, match="holds features of other things"):
        evaluate(shard="auto", floors=False)
    part.unlink()
    evaluate(shard="auto", floors=False)
    assert part.read_bytes() == data


@pytest.mark.slow
def test_killed_at_any_moment_the_numbers_are_the_same(photos):
    expected = evaluate()
    drawn = np.random.default_rng(0)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for shard in ("1/2", "2/2"):
        work = subprocess.Popen([sys.executable, "-c", WORK, shard], env=environment)
        began = time.monotonic()
        while not list(Path("photos-features").rglob("part-*.parquet")) and time.monotonic() - began < 60:
            time.sleep(0.01)
        time.sleep(drawn.uniform(0, 0.05))
        work.send_signal(signal.SIGKILL)
        work.wait()
    killed = contents(Path("photos-features"))
    assert killed and evaluate(shard="1/2") == []
    assert evaluate(shard="2/2") == expected
    assert killed.items() <= contents(Path("photos-features")).items()


@pytest.mark.parametrize("protocols, name", [("knn,finetune", "finetune"), ("discovery", "discovery")])
def test_what_needs_the_network_is_not_shared_out(photos, protocols, name):
    with pytest.raises(UserError, match=f"measure {name} without it"):
        evaluate(shard="1/2", protocols=protocols)


def test_videos_are_shared_out_too(tmp_path, monkeypatch):
    monkeypatch.setattr(sharding, "PART", 2)
    monkeypatch.chdir(tmp_path)
    for i in range(12):
        side = ("right", "down")[i % 2]
        write_video(tmp_path / "clips" / side / f"{i}.mp4", moving(side, i))
    settings = {"backbone": "convnet3d", "image_size": 16, "frames": 4, "stride": 1, "batch_size": 2, "steps": 1}
    run = twofold.pretrain("simclr", "clips", out="run", quiet=True, report=False, **settings)
    (tmp_path / "clips" / "right" / "4.mp4").write_bytes(b"broken")
    asked = {"clips": 2, "quiet": True, "protocols": "retrieval,knn,linear", "batch_size": 4}
    expected = run.evaluate("clips", **asked)
    assert run.evaluate("clips", shard="2/2", **asked) == []
    assert run.evaluate("clips", shard="1/2", **asked) == expected
    assert (run / "clips-features").is_dir()
    with pytest.raises(UserError, match="measure background without it"):
        run.evaluate("clips", shard="1/2", protocols="background")
