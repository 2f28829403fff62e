"""Mutated files end in a sentence or are read: no trace, no hang, no memory beyond a limit. More of them by hand:

TWOFOLD_FUZZ=100000 pytest -m slow tests/strangers
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def fuzz(seed: int, count: int) -> None:
    command = [sys.executable, "-m", "tests.strangers.fuzz", str(seed), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr[-2000:]
    wrong = [row for row in rows if "wrong" in row]
    assert not wrong, f"{len(wrong)} of {count} fail, such as {wrong[0]['kind']}:\n{wrong[0]['wrong']}"
    assert rows[-1]["done"] == count


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is limited otherwise")
def test_mutated_files_end_in_a_sentence():
    fuzz(seed=0, count=300)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_many_mutated_files():
    for seed in range(1, 1 + max(1, int(os.environ.get("TWOFOLD_FUZZ", "5000")) // 5000)):
        fuzz(seed, 5000)
