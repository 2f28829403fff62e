"""One confusion matrix over the whole test set."""

from __future__ import annotations

import math

import numpy as np
import torch

from twofold.images.finetuning.iou import Confusion


def test_it_is_counted_over_the_set_and_not_image_by_image():
    found = Confusion(2)
    found.add(torch.zeros(10, 10, dtype=torch.int64), torch.zeros(10, 10, dtype=torch.int16))
    truth = torch.zeros(1, 4, dtype=torch.int16)
    truth[0, :2] = 1
    found.add(torch.tensor([[0, 1, 1, 0]]), truth)
    # Class 1: one right of three in the union; class 0: 101 of 103. By image the mean would be another.
    assert np.allclose(found.by_class(), [101 / 103, 1 / 3])
    assert found.mean() == (101 / 103 + 1 / 3) / 2
    assert found.accuracy() == 102 / 104


def test_ignored_pixels_do_not_count_and_absent_classes_are_named_with_what_was_answered():
    found = Confusion(4)
    truth = torch.tensor([[0, 0, 1, -1]], dtype=torch.int16)
    found.add(torch.tensor([[0, 3, 1, 2]]), truth)
    assert found.absent() == {2: 0, 3: 1}
    assert np.allclose(found.by_class()[:2], [0.5, 1.0])
    assert np.isnan(found.by_class()[2:]).all()
    assert found.mean() == 0.75


def test_nothing_to_count_is_no_number():
    found = Confusion(2)
    found.add(torch.zeros(2, 2, dtype=torch.int64), torch.full((2, 2), -1))
    assert math.isnan(found.mean())
    assert math.isnan(found.accuracy())
