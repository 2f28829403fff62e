"""An agent's run that is killed goes on to the same bits, its replay and its open game included."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

RUN = "import sys; from twofold.cli import main; sys.exit(main(sys.argv[1:]))"
LEARN = ["pretrain", "rainbow+rcrl", "twofold/Runner-v0", "--steps", "1500", "--save-every", "0.5", "--no-report"]
SMALL = ["--learn-start", "200", "--eval-every", "500", "--eval-episodes", "1", "--batch-size", "8", "--replay", "700"]


@pytest.mark.slow
def test_killed_and_started_again_it_ends_in_the_same_bits(tmp_path):
    command = [sys.executable, "-c", RUN, *LEARN, *SMALL, "--out"]
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "OMP_NUM_THREADS": "1"}}
    subprocess.run([*command, str(tmp_path / "whole")], check=True, **quiet)
    killed = 0
    while killed < 3:
        running = subprocess.Popen([*command, str(tmp_path / "parts")], **quiet)
        time.sleep(6)
        if running.poll() is not None:
            break
        running.send_signal(signal.SIGKILL)
        running.wait()
        killed += 1
    assert killed
    subprocess.run([*command, str(tmp_path / "parts")], check=True, **quiet)
    for name in ("agent.safetensors", "episodes.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
