"""A run on interactions that was killed goes on to exactly the numbers, and the end, of one that was not."""

from __future__ import annotations

import csv
import json
import signal
import time

import numpy as np
import torch
from safetensors.torch import load_file

from twofold.cli import main

TIMES = {"seconds", "triples_per_second", "wait_share"}


def command(data, out):
    return [
        "pretrain", "sgl", str(data), "--out", str(out), "--epochs", "400",
        "--batch-size", "32", "--lr", "0.01", "--patience", "12", "--save-every", "0.1", "--log-every", "3",
        "--no-report", "--quiet", "--method.augmentation", "rw", "--method.negatives", "batch", "--method.dim", "16",
    ]  # fmt: skip


def rows(out):
    with (out / "metrics.csv").open(newline="") as handle:
        return [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(handle)]


def train(*words):
    """What a process does."""
    torch.set_num_threads(1)
    assert main(list(words)) == 0


def test_killed_and_resumed_equals_unbroken(tmp_path, processes):
    drawn = np.random.default_rng(0)
    data = tmp_path / "pairs.csv"
    lines = {f"u{u},i{u % 3 * 10 + i}" for u in range(45) for i in drawn.choice(10, 6, replace=False)}
    data.write_text("user,item\n" + "\n".join(sorted(lines)) + "\n")
    broken, straight = tmp_path / "broken", tmp_path / "straight"
    unbroken = processes.Process(target=train, args=command(data, straight))
    unbroken.start()
    killed = 0
    for epochs in (4, 11):
        process = processes.Process(target=train, args=command(data, broken))
        process.start()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.is_alive():
            if (broken / "best.json").exists() and len(json.loads((broken / "best.json").read_text())) >= epochs:
                break
            time.sleep(0.01)
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
    assert killed
    last = processes.Process(target=train, args=command(data, broken))
    last.start()
    for process in (last, unbroken):
        process.join(timeout=120)
        assert process.exitcode == 0
    assert "Going on from step" in (broken / "log.txt").read_text()
    ours, theirs = load_file(broken / "model.safetensors"), load_file(straight / "model.safetensors")
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert rows(broken) == rows(straight)
    assert (broken / "best.json").read_text() == (straight / "best.json").read_text()
    assert len(json.loads((broken / "best.json").read_text())) < 400
