"""Segmentation as a protocol."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.images.finetuning.situations import situation, tiny_segmentation
from tests.images.finetuning.starts import start
from tests.images.finetuning.truths import scenes
from twofold.errors import UserError
from twofold.images.finetuning.protocol import measure
from twofold.images.finetuning.segmentation import ABSENT, SegmentationTask


@pytest.mark.parametrize("protocol", ["fcn", "deeplabv3"])
def test_five_pictures_in_batches_of_two_never_leave_one(protocol):
    task = SegmentationTask(situation(protocol, tiny_segmentation(iterations=6), count=5))
    assert {len(task.batch(step)[0]) for step in range(6)} == {2}
    found = measure(task, start(), None)
    assert set(found.metrics) == {"mIoU", "pixel-accuracy"}
    assert 0 <= found.metrics["mIoU"] <= 1


def test_a_batch_of_one_is_refused_before_anything_is_trained():
    task = SegmentationTask(situation("deeplabv3", tiny_segmentation(batch=1)))
    with pytest.raises(UserError, match="deeplabv3 cannot learn from batches of 1"):
        measure(task, start(), None)


def test_a_single_picture_fills_a_batch_with_two_windows_of_it():
    task = SegmentationTask(situation("fcn", count=1))
    pictures, masks = task.batch(0)
    assert pictures.shape == (2, 3, 64, 64)
    assert masks.dtype == torch.int64
    assert not torch.equal(pictures[0], pictures[1])


class Told:
    """A segmenter's stand-in that answers with the masks of the test, as logits of the size shown."""

    def __init__(self, task, wrong=None):
        self.preset, self.task, self.asked, self.wrong = task.preset, task, 0, wrong

    def __call__(self, x):
        mask = self.task.situation.test.mask(self.asked).long().clamp(min=0)
        self.asked += 1
        if self.wrong is not None:
            mask[mask == 1] = self.wrong
        return torch.nn.functional.one_hot(mask, 4).permute(2, 0, 1)[None].float()


def test_perfect_answers_are_1_over_the_set_and_absent_classes_are_named():
    test = scenes(3, seed=1)[1]
    test = replace(test, classes=(*test.classes, "disc"))
    train = replace(scenes(3)[1], classes=test.classes)
    task = SegmentationTask(situation("fcn", train=train, test=test))
    found = task.test(Told(task), None)
    assert found.metrics == {"mIoU": 1.0, "pixel-accuracy": 1.0, ABSENT: 0.0}
    assert found.by_class["disc"] is None
    assert found.notes == ["none in test set: disc"]
    wrong = task.test(Told(task, wrong=3), None)
    assert wrong.by_class["square"] == 0.0
    pixels = sum(int((test.mask(i) == 1).sum()) for i in range(3))
    counted = sum(int((test.mask(i) >= 0).sum()) for i in range(3))
    assert wrong.metrics[ABSENT] == pytest.approx(pixels / counted)
    assert wrong.notes == found.notes


def test_data_without_masks_is_refused_in_words():
    with pytest.raises(UserError, match="has boxes but no masks"):
        SegmentationTask(situation("fcn", train=scenes(3)[0]))


def test_it_learns_colours_within_a_few_steps():
    preset = tiny_segmentation(iterations=15, batch=4, lr=0.05, crop=32, scale=(128, 32), stride=8)
    trained = measure(SegmentationTask(situation("fcn", preset, count=12)), start(), None).metrics["mIoU"]
    least = replace(preset, iterations=1, lr=1e-6)
    untrained = measure(SegmentationTask(situation("fcn", least, count=12)), start(), None).metrics["mIoU"]
    assert trained > untrained + 0.1


def test_the_words_say_how_it_is_measured():
    words = SegmentationTask(situation("fcn")).words(start())
    assert "tested at 64 px (whole image), answers at the size of the masks" in words
    city = tiny_segmentation("cityscapes", window=(48, 32))
    assert any("windows of 48 px every 32" in word for word in SegmentationTask(situation("fcn", city)).words(start()))
