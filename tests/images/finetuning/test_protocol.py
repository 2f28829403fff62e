"""A protocol from a start: kept, continued after a kill, and found again."""

from __future__ import annotations

import time
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


def measured_aside(folder, told, waits):
    """What a process does: measure with a checkpoint after every step, and tell how far it is. waits: to be killed."""
    torch.set_num_threads(1)
    told = Path(told)

    def seen(done, total):
        with told.open("a") as file:
            file.write(f"{done} of {total}\n")
        if waits and done == 3:
            time.sleep(60)

    keeper = protocol.Keeper
    protocol.Keeper = lambda file, key: keeper(file, key, every=0)
    found = measure(task(iterations=6), start(), Path(folder), seen)
    with told.open("a") as file:
        file.write(f"found {sorted(found.metrics.items())} {found.notes}\n")


def run(processes, folder, told, killed=False):
    """What a real process told; killed in its third step, or left to end."""
    process = processes.Process(target=measured_aside, args=(str(folder), str(told), killed))
    process.start()
    while process.is_alive():
        if killed and told.exists() and "3 of 6" in told.read_text():
            process.kill()
        time.sleep(0.01)
    process.join()
    return told.read_text().splitlines()


def test_a_process_killed_in_the_middle_goes_on_to_the_same_numbers(tmp_path, processes):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = measure(task(iterations=6), start(), None)
    finally:
        torch.set_num_threads(threads)
    killed = run(processes, tmp_path / "kept", tmp_path / "killed", killed=True)
    assert killed == ["0 of 6", "1 of 6", "2 of 6", "3 of 6"]
    again = run(processes, tmp_path / "kept", tmp_path / "again")
    assert again[-1] == f"found {sorted(whole.metrics.items())} {whole.notes}"
    assert again[:2] == ["2 of 6", "3 of 6"]  # the third had not been written when the process was killed
