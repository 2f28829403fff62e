"""A protocol from a start: kept, continued after a kill, and found again."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.images.finetuning.situations import situation, tiny_detection, tiny_segmentation
from tests.images.finetuning.starts import backbone, start
from twofold.images.finetuning import protocol
from twofold.images.finetuning.bodies import random_start
from twofold.images.finetuning.detection import DetectionTask
from twofold.images.finetuning.protocol import measure
from twofold.images.finetuning.segmentation import SegmentationTask

ROOT = Path(__file__).resolve().parents[3]


def task(name="faster-rcnn", **changes):
    if name in ("fcn", "deeplabv3"):
        return SegmentationTask(situation(name, tiny_segmentation(**changes)))
    return DetectionTask(situation(name, tiny_detection(**changes)))


def test_a_result_is_kept_and_found_by_the_same_question_alone(tmp_path, monkeypatch):
    found = measure(task("fcn"), start(), tmp_path)
    assert [file.suffix for file in tmp_path.iterdir()] == [".json"]
    monkeypatch.setattr(protocol, "train", lambda *given: pytest.fail("it was trained again"))
    assert measure(task("fcn"), start(), tmp_path) == found
    for other, begin in (
        (task("fcn", iterations=5), start()),
        (task("deeplabv3"), start()),
        (task("fcn"), random_start(backbone(), "resnet10", 1)),
    ):
        with pytest.raises(pytest.fail.Exception, match="trained again"):
            measure(other, begin, tmp_path)
    changed = task("fcn")
    changed.situation = replace(changed.situation, seed=1)
    with pytest.raises(pytest.fail.Exception, match="trained again"):
        measure(changed, start(), tmp_path)


def test_a_damaged_result_is_measured_again(tmp_path):
    found = measure(task("fcn"), start(), tmp_path)
    (file,) = tmp_path.iterdir()
    for damage in ('{"metrics": 3}', "nothing", "[]"):
        file.write_text(damage)
        assert measure(task("fcn"), start(), tmp_path) == found


@pytest.mark.parametrize("name", ["faster-rcnn", "mask-rcnn"])
def test_two_trainings_are_the_same_and_new_layers_do_not_depend_on_the_start(name):
    made = task(name)
    first = measure(made, start(), None)
    torch.rand(7)
    assert measure(task(name), start(), None) == first
    heads = []
    for begin in (start(), random_start(backbone(), "untrained", 0)):
        with protocol.drawing(torch.device("cpu"), 0, "fine-tuning weights"):
            heads.append(made.build(begin).roi_heads.box_head.fc6.weight)
    assert torch.equal(*heads)


SCRIPT = """
import sys
from pathlib import Path
from tests.images.finetuning.test_protocol import task
from tests.images.finetuning.starts import start
from twofold.images.finetuning import protocol, training

def seen(done, total):
    print("step", done, flush=True)

keeper = protocol.Keeper
protocol.Keeper = lambda file, key: keeper(file, key, every=0)
found = protocol.measure(task(iterations=6), start(), Path(sys.argv[1]), seen)
print("found", sorted(found.metrics.items()), found.notes, flush=True)
"""


def run(folder, until=None):
    """The output of a real process, killed after a step."""
    surroundings = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=surroundings)
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if line.strip() == until:
            process.kill()
    process.wait()
    return lines


def test_a_process_killed_in_the_middle_goes_on_to_the_same_numbers(tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = measure(task(iterations=6), start(), None)
    finally:
        torch.set_num_threads(threads)
    killed = run(tmp_path, until="step 3")
    assert killed[0] == "step 1"
    assert not any(line.startswith("found") for line in killed)
    again = run(tmp_path)
    assert again[-1] == f"found {sorted(whole.metrics.items())} {whole.notes}"
    assert again[0] in ("step 3", "step 4", "step 5")  # and the test's own three pictures come after these
