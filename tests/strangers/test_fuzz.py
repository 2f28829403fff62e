"""Files, paths and commands made wrong end in a sentence or are read: no trace, no hang, little memory. More by hand:

TWOFOLD_FUZZ=100000 pytest -m slow tests/strangers, or python -m tests.strangers.fuzz SEED COUNT
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is limited otherwise")


def fuzz(seed: int, count: int) -> dict[str, int]:
    command = [sys.executable, "-m", "tests.strangers.fuzz", str(seed), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr[-2000:]
    wrong = [row for row in rows if "wrong" in row]
    said = wrong[0] if wrong else {}
    assert not wrong, f"{len(wrong)} of {count} fail, such as {said['reader']}: {said['again']}\n{said['wrong']}"
    assert rows[-1]["done"] == count
    return rows[-1]["readers"]


def test_files_and_commands_made_wrong_end_in_a_sentence():
    assert len(fuzz(0, 3000)) == 14  # every reader had some


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_many_more():
    fuzz(1, int(os.environ.get("TWOFOLD_FUZZ", "5000")))
