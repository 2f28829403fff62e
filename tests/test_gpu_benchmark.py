"""benchmarks/gpu.py, small and on a CPU: every piece writes its file, and what it says can be true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent


def ran(piece, out, *more):
    """The results of a piece, by the name of its files."""
    command = [sys.executable, "benchmarks/gpu.py", piece, str(out), "--device", "cpu", "--tiny", *map(str, more)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return {file.stem: json.loads(file.read_text()) for file in out.glob(f"{piece}-*.json")}


def test_losses_of_the_device_are_those_of_the_cpu(tmp_path):
    (found,) = ran("losses", tmp_path).values()
    assert found["methods"] == len(found["each"]) > 1
    for each in found["each"].values():
        assert each["loss"] == each["loss_float32"] < 1e-5
        assert each["gradients"] < 1e-3


def test_speed_is_measured_once(tmp_path):
    found = ran("speed", tmp_path)
    (one,) = found.values()
    assert min(one[name] for name in one if name.endswith("images_per_second")) > 0
    assert 0 <= one["wait_share"] <= 1
    assert ran("speed", tmp_path) == found


@pytest.mark.slow
def test_a_run_that_was_killed_has_the_same_bits_on_a_cpu(tmp_path):
    (found,) = ran("resume", tmp_path).values()
    assert found["again_same_bits"]
    assert found["killed_same_bits"]
    assert found["killed_apart"] == 0


@pytest.mark.slow
def test_learning_goes_on_where_its_time_was_up(tmp_path):
    drawn = np.random.default_rng(0)
    for part in ("train", "test"):
        for i in range(24):
            file = tmp_path / part / str(i % 2) / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(drawn.integers(0, 100 + 100 * (i % 2), (36, 36, 3), np.uint8)).save(file)
    data = ["--train", tmp_path / "train", "--test", tmp_path / "test", "--epochs", 2]
    (found,) = ran("learn", tmp_path, *data, "--minutes", 0.01).values()
    assert not found["finished"]
    (found,) = ran("learn", tmp_path, *data).values()
    assert found["finished"]
    assert {row["protocol"] for row in found["results"]} == {"knn", "linear"}
