"""Vectors written in parts by several processes: each once, whoever writes them and whenever they are killed."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import twofold
from tests.videos.conftest import moving, write_video
from twofold.errors import UserError
from twofold.pixels import sharding
from twofold.pixels.sharding import Parts, Shard, shard_named

WORK = """
import sys
import twofold
from twofold.pixels import sharding
sharding.PART = 3
twofold.embed("random:convnet", "photos", image_size=16, precision="fp32", out="vectors", quiet=True, shard=sys.argv[1])
"""


@pytest.fixture
def photos(tmp_path, monkeypatch):
    drawn = np.random.default_rng(0)
    for i in range(32):
        file = tmp_path / "photos" / f"{i:02}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(drawn.integers(0, 255, (20, 20, 3), np.uint8)).save(file)
    (tmp_path / "photos" / "04.png").write_bytes(b"broken")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sharding, "PART", 3)
    return tmp_path / "photos"


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.glob("*.parquet")}


def embed(shard, out, **options):
    settings = {"image_size": 16, "precision": "fp32", "quiet": True} | options
    return twofold.embed("random:convnet", "photos", out=out, shard=shard, **settings)


def test_parts_are_the_same_however_they_are_shared_out(photos, tmp_path, capsys):
    assert embed("auto", "alone").name == "alone"
    said = capsys.readouterr().out
    assert "11 of 11 parts are there" in said and "Left out 1 unreadable images: 04.png" in said
    for i in (3, 1, 2):
        embed(f"{i}/3", "shared")
    assert "11 of 11 parts are there, the 4 of shard 2 of 3 among them" in capsys.readouterr().out
    assert contents(tmp_path / "alone") == contents(tmp_path / "shared") and len(contents(tmp_path / "alone")) == 11
    whole = twofold.embed("random:convnet", "photos", out="whole.parquet", image_size=16, precision="fp32", quiet=True)
    together, expected = (pq.read_table(place).to_pydict() for place in ("alone", whole))
    assert together["name"] == expected["name"] and len(together["name"]) == 31
    assert np.allclose(together["embedding"], expected["embedding"], atol=1e-6)


def test_what_is_there_is_passed_over_and_what_is_not_is_made(photos, tmp_path):
    folder = embed("auto", "vectors")
    before = {file: file.stat().st_mtime_ns for file in folder.glob("*.parquet")}
    gone = folder / "part-00004-of-00011.parquet"
    data = gone.read_bytes()
    gone.unlink()
    (folder / ".part-00004-of-00011.77.part.parquet").write_bytes(b"half")
    embed("2/2", "vectors")
    assert not gone.exists()
    embed("1/2", "vectors")
    assert gone.read_bytes() == data and not list(folder.glob(".part-*"))
    assert all(file.stat().st_mtime_ns == when for file, when in before.items() if file != gone)


def test_killed_at_any_moment_every_vector_is_there_once(photos, tmp_path):
    expected = contents(embed("auto", "expected"))
    drawn = np.random.default_rng(0)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for shard in ("1/2", "2/2"):
        for attempt in range(8):
            work = subprocess.Popen([sys.executable, "-c", WORK, shard], env=environment)
            if attempt < 2:
                began = time.monotonic()
                while not list((tmp_path / "vectors").glob("*.parquet")) and time.monotonic() - began < 60:
                    time.sleep(0.01)
                time.sleep(drawn.uniform(0, 0.05))
                work.send_signal(signal.SIGKILL)
            if work.wait() == 0:
                break
    assert contents(tmp_path / "vectors") == expected


def test_a_folder_of_something_else_is_refused(photos, tmp_path):
    embed("1/2", "vectors")
    with pytest.raises(UserError, match="of another model or in other sizes"):
        embed("2/2", "vectors", image_size=24)
    (photos / "31.png").unlink()
    with pytest.raises(UserError, match="vectors of other data"):
        embed("2/2", "vectors")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "part-00000-of-00001.parquet").write_bytes(b"")
    with pytest.raises(UserError, match="holds parts of something else"):
        embed("1/1", "other")


def test_videos_are_shared_out_too(tmp_path, monkeypatch):
    monkeypatch.setattr(sharding, "PART", 2)
    monkeypatch.chdir(tmp_path)
    for i in range(5):
        write_video(tmp_path / "clips" / f"{i}.mp4", moving("right", i))
    settings = {"backbone": "convnet3d", "image_size": 16, "frames": 4, "stride": 1, "batch_size": 2, "steps": 1}
    run = twofold.pretrain("simclr", "clips", out="run", quiet=True, report=False, **settings)
    for i in (1, 2):
        folder = run.embed("clips", shard=f"{i}/2", clips=2, quiet=True)
    assert folder == run / "clips-embeddings" and pq.read_table(folder)["name"].to_pylist() == [
        f"{i}.mp4" for i in range(5)
    ]


@pytest.mark.parametrize(
    "surroundings, shard",
    [
        ({}, Shard(1, 1)),
        ({"RANK": "3", "WORLD_SIZE": "8"}, Shard(4, 8)),
        ({"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "5"}, Shard(3, 4)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "2"}, Shard(1, 2)),
        (
            {"SLURM_PROCID": "1", "SLURM_NTASKS": "2"}
            | {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "5"},
            Shard(6, 8),
        ),
    ],
)
def test_a_shard_is_told_by_its_surroundings(surroundings, shard, monkeypatch):
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    assert shard_named("auto") == shard


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/2", ""])
def test_shards_that_there_are_not_are_refused(text):
    with pytest.raises(UserError, match="--shard"):
        shard_named(text)


def test_every_part_belongs_to_one_shard(tmp_path):
    parts = Parts(tmp_path, 16_384 * 7 + 1, "x")
    assert len(parts) == 8 and parts.rows(7) == range(16_384 * 7, 16_384 * 7 + 1)
    own = [Shard(i, 3).own(len(parts)) for i in (1, 2, 3)]
    assert sorted(number for shard in own for number in shard) == list(range(8))
