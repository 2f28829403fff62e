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
    told = f"{len(wrong)} of {count} fail, such as {said.get('reader')}: {said.get('again')}\n{said.get('wrong')}"
    assert not wrong, told.encode("ascii", "backslashreplace").decode()
    assert rows[-1]["done"] == count
    return rows[-1]["readers"]


def test_files_and_commands_made_wrong_end_in_a_sentence():
    assert len(fuzz(0, 800)) == 16  # every reader had some


WRONG = """
import random
from types import SimpleNamespace
from tests.strangers import fuzz
from twofold.errors import UserError
fuzz.SECONDS = 0.2

def refuse(*_):
    raise UserError("This is not one.")

def lack(*_):
    try:
        raise MemoryError("cannot allocate")
    except MemoryError as error:
        raise UserError("This is a lack of memory.") from error

def nothing(*_):
    raise UserError(" ")

def loop(*_):
    while True:
        pass

for read in (len, print, refuse, lack, nothing, loop):
    print("|", fuzz.attempt(SimpleNamespace(read=read), "", random.Random(0)).strip()[-30:])
"""


def test_what_is_wrong_is_found():
    done = subprocess.run([sys.executable, "-c", WRONG], cwd=ROOT, capture_output=True, text=True, check=True)
    trace, read, refused, lack, nothing, loop = done.stdout.split("|")[1:]
    assert "TypeError: len()" in trace or "exactly one argument" in trace
    assert (read.strip(), refused.strip()) == ("", "refused")
    assert "a lack of memory." in lack and "not a sentence:" in nothing and "takes over 0.2 s" in loop


ABORTS = """
import sys
if "--child" in sys.orig_argv:
    import os, tests.strangers.readers as readers
    read = readers.read_picture
    readers.read_picture = lambda path, draw: os.abort() if draw.random() < 0.3 else read(path, draw)
"""


@pytest.mark.slow
def test_a_process_that_ends_is_begun_anew(tmp_path):
    """The case that ends it fails, and the next ones are read."""
    (tmp_path / "sitecustomize.py").write_text(ABORTS)
    path = os.pathsep.join([str(tmp_path), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "tests.strangers.fuzz", "3", "6", "--only", "pictures"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = [row for row in rows if "wrong" in row]
    assert rows[-1]["done"] == 6 and 0 < len(wrong) < 6
    assert all("ended with -6" in row["wrong"] and "Aborted" in row["wrong"] for row in wrong)
    assert wrong[0]["again"].startswith("python -m tests.strangers.fuzz 3 1 --first ")


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_many_more():
    fuzz(1, int(os.environ.get("TWOFOLD_FUZZ", "5000")))
