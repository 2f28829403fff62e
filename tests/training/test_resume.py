"""A run that was killed goes on to exactly the numbers of one that was not."""

from __future__ import annotations

import csv
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from twofold.runs.metrics import TIME_COLUMNS

from .small import run_training

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "moco+co2": ("moco+co2", {"precision": "bf16", "momentum": 0.8}),
    "moco-symmetric": ("moco-symmetric", {"schedule": "cosine-epoch"}),
    "moco-split, in parts": ("moco-split", {"accumulate": 2, "precision": "bf16"}),
    "simclr, adam": ("simclr+co2", {"optimizer": "adam", "lr": 1e-3}),
    "simsiam, clipped": ("simsiam", {"clip": 0.5, "log_every": 4}),
    "byol, lars": ("byol", {"optimizer": "lars", "lr": 1.0, "warmup_epochs": 1}),
    "wmse, adam": ("wmse", {"optimizer": "adam", "lr": 1e-3}),
    "vicreg, adam": ("vicreg", {"optimizer": "adam", "lr": 1e-3, "clip": 1.0}),
    "moco-v3": ("moco-v3", {"optimizer": "adamw", "lr": 1e-3, "precision": "bf16"}),
    "dino": ("dino-frozen", {"precision": "bf16"}),
    "dino, adam": ("dino-frozen+tkc", {"optimizer": "adamw", "lr": 1e-3, "accumulate": 2}),
    "swav, lars": ("swav-queue", {"optimizer": "lars", "precision": "bf16"}),
    "barlow, lars": ("barlow", {"optimizer": "lars", "precision": "bf16"}),
    "mixsiam": ("simsiam+mixsiam", {}),
    "mochi+unmix, symmetric": ("moco-symmetric+mochi+unmix", {"precision": "bf16"}),
    "moco+tkc": ("moco+tkc", {"schedule": "cosine-epoch"}),
    "byol+tkc+unmix": ("byol+tkc+cutunmix", {"optimizer": "adam", "lr": 1e-3}),
}


def child(folder: Path, case: str) -> None:
    torch.set_num_threads(1)
    name, settings = CASES[case]
    run_training(folder, name, epochs=4, **settings)


def wait_for_a_save(file: Path, process: Any) -> None:
    before = file.stat().st_mtime_ns if file.exists() else 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.is_alive():
        if file.exists() and file.stat().st_mtime_ns != before:
            return
        time.sleep(0.002)


def state(folder: Path) -> dict[str, torch.Tensor]:
    held = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert held["step"] == held["steps"]
    tensors = {f"method.{name}": value for name, value in held["method"].items()}
    for index, entry in held["optimiser"]["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in entry.items() if torch.is_tensor(value)}
    return tensors


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as handle:
        return [{k: v for k, v in row.items() if k not in TIME_COLUMNS} for row in csv.DictReader(handle)]


@pytest.mark.parametrize("case", CASES)
def test_killed_and_resumed_equals_unbroken(tmp_path, processes, case):
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    unbroken = processes.Process(target=child, args=(straight, case))
    unbroken.start()
    draw, killed = random.Random(os.getpid()), 0
    for _ in range(2):
        process = processes.Process(target=child, args=(broken, case))
        process.start()
        wait_for_a_save(broken / "checkpoints" / "last.ckpt", process)
        time.sleep(draw.uniform(0, 0.15))
        process.kill()
        process.join()
        killed += process.exitcode == -9
    assert killed
    last = processes.Process(target=child, args=(broken, case))
    last.start()
    for process in (last, unbroken):
        process.join(timeout=60)
        assert process.exitcode == 0
    ours, theirs = state(broken), state(straight)
    assert ours.keys() == theirs.keys()
    assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []
    assert rows(broken) == rows(straight)
    assert "Going on from step" in (broken / "log.txt").read_text()
    assert list(broken.rglob("*.tmp")) == []
